using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Turn.Client.Authentication;

namespace WebRtcIms.Turn.Client;

/// <summary>
/// What a client proves to a TURN server: a user name with a password (RFC 8489 §9.2), or an OAuth 2.0 access token with its
/// session key (RFC 7635). Never shown by <see cref="ToString"/>.
/// </summary>
public sealed class TurnCredential
{
    // RFC 8489 §14.3: USERNAME has fewer than 509 octets.
    private const int MaxUsernameLength = 508;

    // RFC 7635 §6.2 wants the whole message to fit 548 octets; this is only where a request stops fitting the buffers.
    private const int MaxTokenLength = 1024;

    private readonly byte[] _username;
    private readonly byte[] _secret;
    private readonly byte[] _token;

    private TurnCredential(byte[] username, byte[] secret, byte[] token)
    {
        if (username.Length is 0 or > MaxUsernameLength) throw new ArgumentException("USERNAME has 1 to 508 octets", nameof(username));
        _username = username;
        _secret = secret;
        _token = token;
    }

    /// <summary>Whether this is a token with its session key.</summary>
    public bool IsAccessToken => _token.Length > 0;

    internal ReadOnlySpan<byte> Username => _username;

    /// <summary>The octets of ACCESS-TOKEN; none for a password.</summary>
    internal ReadOnlySpan<byte> Token => _token;

    /// <summary>
    /// A user name and a password, such as the <c>username</c> and <c>credential</c> of an <c>RTCIceServer</c>. A token that
    /// travels in the user name, as browsers must send it, is one of these, too.
    /// </summary>
    /// <exception cref="ArgumentException">The user name is empty or longer than 508 octets.</exception>
    public static TurnCredential LongTerm(string username, string password) => new(
        Encoding.UTF8.GetBytes(LongTermKey.PrepareOpaqueString(username)),
        Encoding.UTF8.GetBytes(LongTermKey.PrepareOpaqueString(password)),
        token: []);

    /// <summary>A self-contained access token (RFC 7635 §4), as the authorization server gave it.</summary>
    /// <param name="keyId">The <c>kid</c>: which long-term key of the server the token is encrypted under.</param>
    /// <param name="token">The token's octets, that is <c>access_token</c> without its base64.</param>
    /// <param name="macKey">The session key, 20 octets for HMAC-SHA-1 or 32 for HMAC-SHA-256.</param>
    /// <exception cref="ArgumentException">A length is wrong.</exception>
    public static TurnCredential AccessToken(string keyId, ReadOnlySpan<byte> token, ReadOnlySpan<byte> macKey)
    {
        if (token.Length is 0 or > MaxTokenLength) throw new ArgumentException($"A token has 1 to {MaxTokenLength} octets", nameof(token));
        if (!Stun.OAuth.AccessToken.IsMacKeyLength(macKey.Length)) throw new ArgumentException("mac_key has 20 or 32 octets", nameof(macKey));
        return new TurnCredential(Encoding.UTF8.GetBytes(keyId), macKey.ToArray(), token.ToArray());
    }

    public override string ToString() => IsAccessToken ? "access token ***" : "user ***";

    /// <summary>
    /// The key of the HMAC. A token's is mac_key itself (RFC 7635 §7); a password's is hashed with user name and realm, by
    /// what PASSWORD-ALGORITHMS offered, and by MD5 where it offered nothing (RFC 8489 §9.2.2).
    /// </summary>
    internal IntegrityKey KeyFor(Challenge challenge)
    {
        if (IsAccessToken)
        {
            var isSha256 = _secret.Length == Stun.OAuth.AccessToken.Sha256MacKeyLength;
            return new IntegrityKey(isSha256 ? IntegrityAlgorithm.Sha256 : IntegrityAlgorithm.Sha1, _secret);
        }

        var isHashedBySha256 = challenge.PasswordAlgorithm == PasswordAlgorithm.Sha256;
        var key = new byte[isHashedBySha256 ? LongTermKey.Sha256Length : LongTermKey.Md5Length];
        if (isHashedBySha256) LongTermKey.ComputeSha256(_username, challenge.Realm, _secret, key);
        else LongTermKey.ComputeMd5(_username, challenge.Realm, _secret, key);
        return new IntegrityKey(challenge.PasswordAlgorithm == PasswordAlgorithm.None ? IntegrityAlgorithm.Sha1 : IntegrityAlgorithm.Sha256, key);
    }
}
