using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Authentication;

/// <summary>The result of authentication: an error, or what the request proved.</summary>
/// <param name="Error">None, 400, 401, 420 or 438.</param>
/// <param name="Proof">The credential and the flavour of integrity.</param>
internal readonly record struct AuthenticationResult(StunError Error, Proof Proof = default);

/// <summary>
/// Decides who sent a request, in the order of RFC 8489 §9.2.4 with the credentials of RFC 7635 §7, of the browser profile,
/// and of static users.
/// </summary>
/// <remarks>
/// One departure from the order: a nonce that this fleet never issued to the client is refused before the token is
/// decrypted, so that made-up requests cost no AES. A client with a right credential gets the same 438 in either order.
/// </remarks>
public sealed class RequestAuthenticator(
    AuthenticationSettings settings, AccessTokenKeyRing keys, NonceIssuer nonces, IRevocations? revocations = null)
{
    // An authentic token that has ended for longer than this comes from a client that is late, not from a clock that is wrong.
    private static readonly TimeSpan LikelySkew = TimeSpan.FromMinutes(1);

    // USERNAME is shorter than 509 octets (RFC 8489 §14.3). REALM and NONCE have less than 128 characters and at most 763 octets
    // (§14.9, §14.10).
    private const int MaxUsername = 508;
    private const int MaxRealmOrNonce = 763;
    private const int MaxRealmOrNonceCharacters = 127;

    /// <summary>PASSWORD-ALGORITHMS as it stands in the challenge: SHA-256, then MD5, both without parameters (RFC 8489 §14.11).</summary>
    private static readonly byte[] OfferedAlgorithms = [0, 2, 0, 0, 0, 1, 0, 0];

    private readonly byte[] _serverName = Encoding.UTF8.GetBytes(settings.ServerName);
    private readonly byte[] _realm = Encoding.UTF8.GetBytes(settings.Realm);

    private const int MaxShownKeyId = 32;

    private static readonly SearchValues<byte> KeyIdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/="u8);

    private AccessTokenKeyRing _keys = keys;
    private long _ahead;
    private long _behind;
    private long _unknownKeys;
    private string? _unknownKeyId;

    private readonly byte[][] _userHashes = [.. settings.StaticUsers.Select(user => user.UserHash(Encoding.UTF8.GetBytes(settings.Realm)))];

    /// <summary>The keys of tokens. The ring may be replaced at any time; only a server that awaits keys may have an empty one.</summary>
    public AccessTokenKeyRing Keys
    {
        get => Volatile.Read(ref _keys);
        set => Volatile.Write(ref _keys, value);
    }

    /// <summary>
    /// Authentic tokens from the future, and those that ended within the last minute: when there are many, the clocks of this
    /// server and of the authorization server differ.
    /// </summary>
    public (long Ahead, long Behind) SkewSuspected => (Interlocked.Read(ref _ahead), Interlocked.Read(ref _behind));

    /// <summary>Requests with a kid that this server does not have, or has no more.</summary>
    public long UnknownKeys => Interlocked.Read(ref _unknownKeys);

    /// <summary>One such kid that came since this was asked last; null when none did.</summary>
    public string? RemoveUnknownKeyId() => Interlocked.Exchange(ref _unknownKeyId, null);

    /// <summary>Whether tokens are taken at all; if not, ACCESS-TOKEN is an unknown attribute (RFC 7635 §7).</summary>
    public bool AcceptsTokens { get; } = settings.AwaitsKeys || !keys.IsEmpty;

    internal AuthenticationResult Authenticate(in StunMessageReader request, in FiveTuple flow, Credential? current, EngineTime time)
    {
        // RFC 8489 §9.2.4, first: no integrity, so it is a request for a challenge.
        if (!request.HasMessageIntegrity && !request.HasMessageIntegritySha256) return new(StunError.Unauthenticated);

        // A client that truncates its HMAC would do the same again after a challenge.
        if (request.HasIntegrityOfWrongLength) return new(StunError.BadRequest);
        if (!TryReadUsername(request, out var username)) return new(StunError.BadRequest);
        if (!TryRead(request, StunAttributeType.Realm, out var realm) || !Utf8.IsValid(realm)) return new(StunError.BadRequest);
        if (!TryRead(request, StunAttributeType.Nonce, out var nonce)) return new(StunError.BadRequest);

        var nonceStatus = nonces.Check(nonce, flow, time);
        if (nonceStatus == NonceStatus.Forged) return new(StunError.StaleNonce);
        if (!TryReadPasswordAlgorithm(request, out var passwordAlgorithm)) return new(StunError.BadRequest);

        if (!AcceptsTokens && request.Has(StunAttributeType.AccessToken)) return new(StunError.UnknownAttribute);

        // Credentials belong to a realm (RFC 8489 §9.2). Those of another realm are wrong here, and the challenge has the right one. 437 is
        // for a 5-tuple in use (RFC 8656 §7.2).
        if (!realm.SequenceEqual(_realm)) return new(StunError.Unauthenticated);
        var credential = Find(request, username, current, time);
        if (credential is null || !credential.Verifies(request, passwordAlgorithm)) return new(StunError.Unauthenticated);

        if (nonceStatus == NonceStatus.Expired) return new(StunError.StaleNonce);
        var integrity = request.HasMessageIntegritySha256 ? IntegrityAlgorithm.Sha256 : IntegrityAlgorithm.Sha1;
        return new(StunError.None, new Proof(credential, integrity, passwordAlgorithm));
    }

    /// <summary>Whether the request has a nonce that this fleet has issued to its sender, however old.</summary>
    internal bool HasNonceOfOurs(in StunMessageReader request, in FiveTuple flow, EngineTime time) =>
        request.TryGet(StunAttributeType.Nonce, out var nonce) && nonces.Check(nonce, flow, time) != NonceStatus.Forged;

    /// <summary>REALM, a fresh NONCE and what else a client needs to try again (RFC 8489 §9.2.4, RFC 7635 §4).</summary>
    internal void WriteChallenge(ref StunMessageWriter response, in FiveTuple flow, EngineTime time)
    {
        Span<byte> nonce = stackalloc byte[NonceIssuer.Length];
        nonces.Issue(flow, time, nonce);
        response.Write(StunAttributeType.Realm, _realm);
        response.Write(StunAttributeType.Nonce, nonce);
        if (settings.AcceptsPasswords) response.Write(StunAttributeType.PasswordAlgorithms, OfferedAlgorithms);
        if (AcceptsTokens) response.Write(StunAttributeType.ThirdPartyAuthorization, _serverName);
    }

    private static bool TryRead(in StunMessageReader request, StunAttributeType realmOrNonce, out ReadOnlySpan<byte> value) =>
        request.TryGet(realmOrNonce, out value)
        && value.Length is > 0 and <= MaxRealmOrNonce
        && Encoding.UTF8.GetCharCount(value) <= MaxRealmOrNonceCharacters;

    /// <summary>Reads USERNAME, or finds the user of USERHASH (RFC 8489 §9.2.4). An unknown hash gives a name that no user has.</summary>
    private bool TryReadUsername(in StunMessageReader request, out ReadOnlySpan<byte> username)
    {
        if (request.TryGet(StunAttributeType.Username, out username))
            return username.Length is > 0 and <= MaxUsername && Utf8.IsValid(username);
        if (!request.TryGet(StunAttributeType.UserHash, out var hash) || hash.Length != SHA256.HashSizeInBytes) return false;
        for (var i = 0; i < _userHashes.Length; i++)
        {
            if (hash.SequenceEqual(_userHashes[i])) username = settings.StaticUsers[i].Username;
        }

        return true;
    }

    /// <summary>
    /// RFC 8489 §9.2.4: with neither attribute the client is an older one and uses MD5; otherwise the list must be the one
    /// that was offered, unchanged, and the choice must be in it.
    /// </summary>
    private bool TryReadPasswordAlgorithm(in StunMessageReader request, out PasswordAlgorithm algorithm)
    {
        algorithm = PasswordAlgorithm.Md5;
        if (!settings.AcceptsPasswords) return true;

        var hasList = request.TryGet(StunAttributeType.PasswordAlgorithms, out var list);
        var hasChoice = request.TryGet(StunAttributeType.PasswordAlgorithm, out var choice);
        if (!hasList && !hasChoice) return true;
        if (!list.SequenceEqual(OfferedAlgorithms) || choice is not [0, 1 or 2, 0, 0]) return false;
        algorithm = (PasswordAlgorithm)choice[1];
        return true;
    }

    private Credential? Find(in StunMessageReader request, ReadOnlySpan<byte> username, Credential? current, EngineTime time)
    {
        // ACCESS-TOKEN belongs in Allocate and Refresh alone (RFC 7635 §9); elsewhere it is known but unexpected, and ignored.
        if (request.Method is StunMethod.Allocate or StunMethod.Refresh && request.TryGet(StunAttributeType.AccessToken, out var token))
            return FromToken(username, token, username: default, time);

        if (current is not null && current.Username.SequenceEqual(username)) return current;
        foreach (var user in settings.StaticUsers)
        {
            if (user.Username.SequenceEqual(username)) return user;
        }

        // The separator of the browser profile may also be in other names, so these come first.
        return FromSharedSecret(username, time) ?? FromBrowserUsername(username, time);
    }

    private Credential? FromSharedSecret(ReadOnlySpan<byte> username, EngineTime time)
    {
        if (settings.SharedSecret is not { } secret) return null;
        var ephemeral = Credential.FromSharedSecret(username, secret, _realm, settings.SharedSecretEndsAllocations);
        return ephemeral?.IsBeforeEnd(time.Utc) == true ? ephemeral : null;
    }

    private Credential? FromBrowserUsername(ReadOnlySpan<byte> username, EngineTime time)
    {
        if (!settings.BrowserProfile) return null;
        Span<byte> token = stackalloc byte[BrowserUsername.MaxLength];
        return BrowserUsername.TryParse(username, token, out var keyIdLength, out var length)
            ? FromToken(username[..keyIdLength], token[..length], username, time)
            : null;
    }

    /// <summary>RFC 7635 §7, steps 1 to 4. All refusals are alike to the client.</summary>
    private Credential? FromToken(ReadOnlySpan<byte> keyId, ReadOnlySpan<byte> token, ReadOnlySpan<byte> username, EngineTime time)
    {
        if (Keys.Find(keyId, time.Utc) is not { } key)
        {
            CountUnknownKey(keyId);
            return null;
        }

        if (key.TryDecrypt(token, _serverName, out var content) != AccessTokenStatus.Valid) return null;
        if (content.RemainingSeconds(time.Utc) == 0)
        {
            CountSkew(content, time.Utc);
            return null;
        }

        AccessTokenKey.TryGetNonce(token, out var nonce);
        var credential = username.IsEmpty
            ? Credential.FromToken(key, nonce, content)
            : Credential.FromBrowser(key, nonce, content, username, _realm);
        return revocations?.Cover(credential, time.Utc) == true ? null : credential;
    }

    // Anybody can send anything as a kid, so one is kept at a time, and in full only if it looks like one.
    private void CountUnknownKey(ReadOnlySpan<byte> keyId)
    {
        Interlocked.Increment(ref _unknownKeys);
        if (Volatile.Read(ref _unknownKeyId) is not null) return;
        var isName = keyId.Length <= MaxShownKeyId && !keyId.ContainsAnyExcept(KeyIdCharacters);
        Volatile.Write(ref _unknownKeyId, isName ? Encoding.ASCII.GetString(keyId) : "(no kid as the WAF makes them)");
    }

    private void CountSkew(in AccessToken token, DateTimeOffset now)
    {
        var age = now - token.Timestamp.ToDateTimeOffset();
        if (age < TimeSpan.Zero) Interlocked.Increment(ref _ahead);
        else if (age - TimeSpan.FromSeconds(token.LifetimeSeconds) < LikelySkew) Interlocked.Increment(ref _behind);
    }
}
