using System.Text;

namespace WebRtcIms.Turn.Client.Protocol;

/// <summary>
/// The credential of a client: a user name with a password (RFC 8489 §9.2), or an OAuth 2.0 access token with its session key
/// (RFC 7635). <see cref="ToString"/> never shows it.
/// </summary>
public sealed class TurnCredential
{
    // RFC 8489 §14.3: USERNAME has fewer than 509 octets.
    private const int MaxUsernameLength = 508;

    // RFC 7635 §6.2 wants the whole message to fit 548 octets. This larger limit only protects the request buffer.
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

    /// <summary>The password, or the session key of the token.</summary>
    internal ReadOnlySpan<byte> Secret => _secret;

    /// <summary>The octets of ACCESS-TOKEN; none for a password.</summary>
    internal ReadOnlySpan<byte> Token => _token;

    /// <summary>
    /// A user name and a password, such as the <c>username</c> and <c>credential</c> of an <c>RTCIceServer</c>. Browsers put a
    /// token into the user name; such a token is also given here.
    /// </summary>
    /// <exception cref="ArgumentException">The user name is empty or longer than 508 octets.</exception>
    public static TurnCredential LongTerm(string username, string password) => new(
        Encoding.UTF8.GetBytes(LongTermKey.PrepareOpaqueString(username)),
        Encoding.UTF8.GetBytes(LongTermKey.PrepareOpaqueString(password)),
        token: []);

    /// <summary>A self-contained access token (RFC 7635 §4) from the authorization server.</summary>
    /// <param name="keyId">The <c>kid</c>: the name of the long-term key that encrypts the token.</param>
    /// <param name="token">The octets of the token: <c>access_token</c> decoded from base64.</param>
    /// <param name="macKey">The session key, 20 octets for HMAC-SHA-1 or 32 for HMAC-SHA-256.</param>
    /// <exception cref="ArgumentException">A length is wrong.</exception>
    public static TurnCredential AccessToken(string keyId, ReadOnlySpan<byte> token, ReadOnlySpan<byte> macKey)
    {
        if (token.Length is 0 or > MaxTokenLength) throw new ArgumentException($"A token has 1 to {MaxTokenLength} octets", nameof(token));
        if (!Stun.OAuth.AccessToken.IsMacKeyLength(macKey.Length))
            throw new ArgumentException("mac_key has 20 or 32 octets", nameof(macKey));
        return new TurnCredential(Encoding.UTF8.GetBytes(keyId), macKey.ToArray(), token.ToArray());
    }

    /// <summary>The kind of the credential, without any part of it.</summary>
    public override string ToString() => IsAccessToken ? "access token ***" : "user ***";
}
