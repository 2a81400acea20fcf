using System.Buffers.Text;
using System.Security.Cryptography;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Tests.Servers;

/// <summary>Tokens of RFC 7635, made with a server's long-term key.</summary>
internal static class Tokens
{
    public const string ServerName = "turn.example.org";

    public static IssuedToken Issue(string keyId, byte[] key, byte[] macKey, uint lifetimeSeconds)
    {
        var now = TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
        var token = new byte[Stun.OAuth.AccessToken.MaxEncodedLength];
        using var codec = new AccessTokenKey(keyId, AccessTokenAlgorithm.A256Gcm, key);
        var length = codec.Encrypt(
            new AccessToken(macKey, now, lifetimeSeconds),
            RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength),
            System.Text.Encoding.UTF8.GetBytes(ServerName),
            token);
        return new IssuedToken(keyId, token[..length], macKey);
    }
}

/// <summary>A token in the two forms that a client may use it in.</summary>
internal sealed record IssuedToken(string KeyId, byte[] Token, byte[] MacKey)
{
    public TurnCredential Native => TurnCredential.AccessToken(KeyId, Token, MacKey);

    /// <summary>As a browser sends it: in the user name.</summary>
    public TurnCredential Browser =>
        TurnCredential.LongTerm($"{KeyId}~{Base64Url.EncodeToString(Token)}", Convert.ToBase64String(MacKey));
}
