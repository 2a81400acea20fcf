using System.Security.Cryptography;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Turn.Load;

/// <summary>A token in the format of the authorization server, and its session key.</summary>
internal sealed record LoadToken(byte[] Octets, byte[] MacKey)
{
    private const uint LifetimeSeconds = 600;

    /// <summary>Null when the options have no key.</summary>
    public static LoadToken? From(LoadOptions options)
    {
        if (options.Kid is not { } kid || options.Key is not { } text) return null;
        using var key = new AccessTokenKey(kid, AccessTokenAlgorithm.A256Gcm, Convert.FromBase64String(text));
        var macKey = RandomNumberGenerator.GetBytes(AccessToken.Sha256MacKeyLength);
        var octets = new byte[AccessToken.MaxEncodedLength];
        var token = new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()), LifetimeSeconds);
        var length =
            key.Encrypt(
                token, RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength), System.Text.Encoding.UTF8.GetBytes(options.ServerName),
                octets);
        return new LoadToken(octets[..length], macKey);
    }
}
