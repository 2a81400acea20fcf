using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Turn.Engine.Authentication;

/// <summary>PASSWORD-ALGORITHM numbers (RFC 8489 §18.5.1).</summary>
public enum PasswordAlgorithm : ushort
{
    /// <summary>MD5 of <c>username:realm:password</c> (RFC 8489 §18.5.1.1).</summary>
    Md5 = 1,

    /// <summary>SHA-256 of <c>username:realm:password</c> (RFC 8489 §18.5.1.2).</summary>
    Sha256 = 2,
}

/// <summary>
/// What a client must prove to hold: the keys of MESSAGE-INTEGRITY under one user name, and, for a token, how long it
/// lives. Never the password or the token itself.
/// </summary>
public sealed class Credential
{
    private const int FingerprintLength = 4;

    private readonly byte[] _username;

    // Keys of the two HMACs. A long-term credential derives both by MD5 unless the client chose SHA-256 (RFC 8489 §9.2.2).
    private readonly byte[] _sha1Key;
    private readonly byte[]? _sha256Key;
    private readonly byte[]? _passwordSha256Key;

    private Credential(byte[] username, byte[] sha1Key, byte[]? sha256Key, byte[]? passwordSha256Key)
    {
        _username = username;
        _sha1Key = sha1Key;
        _sha256Key = sha256Key;
        _passwordSha256Key = passwordSha256Key;
    }

    /// <summary>Which token this is; null for a static user.</summary>
    public TokenName? Token { get; private init; }

    /// <summary>When the token was made; 1970 when there is none.</summary>
    public DateTimeOffset IssuedAt => Content.Timestamp.ToDateTimeOffset();

    /// <summary>How long the token lives, in seconds; 0 when there is none.</summary>
    public uint LifetimeSeconds => Content.LifetimeSeconds;

    /// <summary>The length of the session key in octets; 0 when there is no token.</summary>
    public int MacKeyLength => Content.MacKey.Length;

    /// <summary>
    /// The first octets of SHA-256 of the session key: enough to see that two keys are the same, and no way back to one.
    /// </summary>
    public string MacKeyFingerprint
    {
        get
        {
            var content = Content;
            return Convert.ToHexStringLower(SHA256.HashData(content.MacKey).AsSpan(0, FingerprintLength));
        }
    }

    private AccessToken Content { get; init; }

    /// <summary>When an ephemeral user name ends; null for every other credential.</summary>
    private DateTimeOffset? EndsAt { get; init; }

    /// <summary>Whether <see cref="EndsAt"/> also ends the allocations that were made before.</summary>
    private bool EndsAllocations { get; init; }

    private ReadOnlySpan<byte> EphemeralUser => _username.AsSpan()[TryReadEnd(_username, out _, out var user) ? user : default(Range)];

    /// <summary>USERNAME in UTF-8: the kid, the user name of the browser profile, or the name of a user.</summary>
    public ReadOnlySpan<byte> Username => _username;

    /// <summary>
    /// The user whose allocations count together, where no grant names one. An ephemeral name has its end beside the user, so that one user
    /// has many names. Every token is a user of its own.
    /// </summary>
    public string User
    {
        get
        {
            if (Token is { } token) return $"token:{token.KeyId}:{token.TokenId}";
            return EndsAt is null
                ? $"name:{Encoding.UTF8.GetString(_username)}"
                : $"ephemeral:{Encoding.UTF8.GetString(EphemeralUser.IsEmpty ? Username : EphemeralUser)}";
        }
    }

    /// <summary>
    /// RFC 7635: USERNAME is the kid and the HMAC key is mac_key itself. Of a 32-octet mac_key, MESSAGE-INTEGRITY takes the
    /// SHA-1 hash (Appendix B); a 20-octet one is for MESSAGE-INTEGRITY alone.
    /// </summary>
    internal static Credential FromToken(AccessTokenKey key, ReadOnlySpan<byte> nonce, in AccessToken token)
    {
        var macKey = token.MacKey.ToArray();
        var isSha256 = macKey.Length == AccessToken.Sha256MacKeyLength;
        return new Credential(
            key.KeyIdOctets.ToArray(),
            isSha256 ? SHA1.HashData(macKey) : macKey,
            isSha256 ? macKey : null,
            passwordSha256Key: null)
        {
            Token = new TokenName(key.KeyId, Base64Url.EncodeToString(nonce)),
            Content = token,
        };
    }

    /// <summary>
    /// Browser profile: the token stands in USERNAME, and base64 of mac_key is the password of an ordinary long-term
    /// credential, because no browser speaks RFC 7635.
    /// </summary>
    internal static Credential FromBrowser(
        AccessTokenKey key, ReadOnlySpan<byte> nonce, in AccessToken token, ReadOnlySpan<byte> username, ReadOnlySpan<byte> realm)
    {
        Span<byte> password = stackalloc byte[Base64.GetMaxEncodedToUtf8Length(token.MacKey.Length)];
        Base64.EncodeToUtf8(token.MacKey, password, out _, out var length);
        var (md5, sha256) = LongTermKeys(username, realm, password[..length]);
        CryptographicOperations.ZeroMemory(password);
        return new Credential(username.ToArray(), md5, md5, sha256)
        {
            Token = new TokenName(key.KeyId, Base64Url.EncodeToString(nonce)),
            Content = token,
        };
    }

    /// <summary>A user of the configuration, with the OpaqueString profile applied (RFC 8489 §9.2.2).</summary>
    public static Credential FromStaticUser(string name, string password, string realm)
    {
        var username = Encoding.UTF8.GetBytes(LongTermKey.PrepareOpaqueString(name));
        var (md5, sha256) = LongTermKeys(
            username, Encoding.UTF8.GetBytes(realm), Encoding.UTF8.GetBytes(LongTermKey.PrepareOpaqueString(password)));
        return new Credential(username, md5, md5, sha256);
    }

    /// <summary>
    /// The ephemeral credential that many deployments use: the user name has the time at which it ends, in seconds since 1970, and the
    /// password is base64 of its HMAC-SHA-1 under a secret shared with the issuer. Null when the time is missing.
    /// </summary>
    internal static Credential? FromSharedSecret(
        ReadOnlySpan<byte> username, byte[] secret, ReadOnlySpan<byte> realm, bool endsAllocations)
    {
        if (!TryReadEnd(username, out var ends, out _)) return null;

        Span<byte> hash = stackalloc byte[HMACSHA1.HashSizeInBytes];
        HMACSHA1.HashData(secret, username, hash);
        Span<byte> password = stackalloc byte[Base64.GetMaxEncodedToUtf8Length(hash.Length)];
        Base64.EncodeToUtf8(hash, password, out _, out _);
        var (md5, sha256) = LongTermKeys(username, realm, password);
        CryptographicOperations.ZeroMemory(password);
        return new Credential(username.ToArray(), md5, md5, sha256)
        {
            EndsAt = DateTimeOffset.FromUnixTimeSeconds(ends),
            EndsAllocations = endsAllocations,
        };
    }

    /// <summary>Reads <c>end</c>, <c>end:user</c>, or <c>user:end</c>, which coturn also accepts.</summary>
    private static bool TryReadEnd(ReadOnlySpan<byte> username, out uint ends, out Range user)
    {
        var colon = username.IndexOf((byte)':');
        user = colon < 0 ? ^0.. : (colon + 1)..;
        if (IsNumber(colon < 0 ? username : username[..colon], out ends)) return true;
        user = ..Math.Max(colon, 0);
        return colon > 0 && IsNumber(username[(colon + 1)..], out ends);

        static bool IsNumber(ReadOnlySpan<byte> text, out uint number) =>
            Utf8Parser.TryParse(text, out number, out var length) && length == text.Length;
    }

    /// <summary>
    /// Whether both are the same token, or the same user name where there is no token. The kid is the user name of all native tokens under
    /// one key, so the name does not tell tokens apart.
    /// </summary>
    internal bool IsSameAs(Credential other) =>
        ReferenceEquals(this, other)
        || (Token is not null || other.Token is not null ? Token == other.Token : Username.SequenceEqual(other.Username));

    /// <summary>Whether an ephemeral name may be used for the first time; true for every other credential.</summary>
    internal bool IsBeforeEnd(DateTimeOffset now) => EndsAt is not { } end || now < end;

    /// <summary>
    /// Seconds that may still be granted: what is left of the token, or of an ephemeral name that ends its allocations. Others have no
    /// bound.
    /// </summary>
    public uint RemainingSeconds(DateTimeOffset now)
    {
        if (Token is not null) return Content.RemainingSeconds(now);
        return EndsAllocations && EndsAt is { } end
            ? (uint)Math.Clamp(Math.Ceiling((end - now).TotalSeconds), 0, uint.MaxValue)
            : uint.MaxValue;
    }

    /// <summary>USERHASH (RFC 8489 §14.4), 32 octets.</summary>
    internal byte[] UserHash(ReadOnlySpan<byte> realm)
    {
        var hash = new byte[SHA256.HashSizeInBytes];
        LongTermKey.ComputeUserHash(_username, realm, hash);
        return hash;
    }

    /// <summary>Verifies the strongest integrity that the request has; both HMACs compare in fixed time.</summary>
    internal bool Verifies(in StunMessageReader request, PasswordAlgorithm passwordAlgorithm)
    {
        if (!request.HasMessageIntegritySha256)
            return request.VerifyMessageIntegrity(KeyFor(IntegrityAlgorithm.Sha1, passwordAlgorithm)!);
        return KeyFor(IntegrityAlgorithm.Sha256, passwordAlgorithm) is { } key && request.VerifyMessageIntegritySha256(key);
    }

    /// <summary>Adds the integrity of an answer in the flavour of its request (RFC 8489 §9.2.4).</summary>
    internal void Sign(ref StunMessageWriter response, IntegrityAlgorithm integrity, PasswordAlgorithm passwordAlgorithm)
    {
        var key = KeyFor(integrity, passwordAlgorithm)!;
        if (integrity == IntegrityAlgorithm.Sha256) response.AddMessageIntegritySha256(key);
        else response.AddMessageIntegrity(key);
    }

    private byte[]? KeyFor(IntegrityAlgorithm integrity, PasswordAlgorithm passwordAlgorithm)
    {
        if (passwordAlgorithm == PasswordAlgorithm.Sha256 && _passwordSha256Key is not null) return _passwordSha256Key;
        return integrity == IntegrityAlgorithm.Sha256 ? _sha256Key : _sha1Key;
    }

    private static (byte[] Md5, byte[] Sha256) LongTermKeys(
        ReadOnlySpan<byte> username, ReadOnlySpan<byte> realm, ReadOnlySpan<byte> password)
    {
        var md5 = new byte[LongTermKey.Md5Length];
        var sha256 = new byte[LongTermKey.Sha256Length];
        LongTermKey.ComputeMd5(username, realm, password, md5);
        LongTermKey.ComputeSha256(username, realm, password, sha256);
        return (md5, sha256);
    }
}

/// <summary>
/// A credential that a request proved to hold, and how; its answers carry integrity of the same flavour (RFC 8489 §9.2.4).
/// </summary>
public readonly record struct Proof(Credential Credential, IntegrityAlgorithm Integrity, PasswordAlgorithm PasswordAlgorithm)
{
    internal void Sign(ref StunMessageWriter response) => Credential.Sign(ref response, Integrity, PasswordAlgorithm);
}

/// <summary>The public name of a token: its kid and, in base64url, its nonce, which is unique under the kid.</summary>
public sealed record TokenName(string KeyId, string TokenId);
