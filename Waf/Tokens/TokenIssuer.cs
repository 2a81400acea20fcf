using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Rings;

namespace WebRtcIms.Waf.Tokens;

/// <summary>A token as the client gets it (RFC 7635 Appendix B), and its name in the caches.</summary>
internal sealed record IssuedToken(string AccessToken, string Kid, string Key, string Algorithm, TimeSpan Lifetime, string TokenId)
{
    public override string ToString() => "***";
}

/// <summary>A token that this server issued: its name in the caches, its audience, and its times.</summary>
internal sealed record TokenIdentity(string Kid, string TokenId, string Audience, DateTimeOffset IssuedAt, DateTimeOffset ExpiresAt);

/// <summary>HMAC algorithms that a client may ask for, and the mac_key that each needs (RFC 7635 Appendix B).</summary>
internal static class MacAlgorithm
{
    public const string Sha1 = "HMAC-SHA1";
    public const string Sha256 = "HMAC-SHA-256-128";
}

/// <summary>Step 5 of figure X.5.3.2-1: generates a session key and encrypts it for a TURN server.</summary>
internal sealed class TokenIssuer(KeyRings rings, KeyUse use, TimeProvider time)
{
    public bool Knows(string audience) => rings.Find(audience) is not null;

    /// <summary>Issues a token under the current key; null when that key has been used as often as it may.</summary>
    /// <param name="audience">A known TURN server name.</param>
    /// <param name="macAlgorithm">One of <see cref="MacAlgorithm"/>.</param>
    /// <param name="limits">Those of the client.</param>
    /// <param name="wanted">A shorter life that the client asked for.</param>
    public IssuedToken? Issue(string audience, string macAlgorithm, ClientLimits? limits = null, TimeSpan? wanted = null)
    {
        var (ring, now) = (rings.Find(audience)!, time.GetUtcNow());
        var key = ring.GetCurrent(now).Material;
        if (!use.TryAdd(key)) return null;
        var lifetime = limits?.Bound(ring.Settings.TokenLifetime) ?? ring.Settings.TokenLifetime;
        if (wanted < lifetime) lifetime = wanted.Value;
        var macKey = RandomNumberGenerator.GetBytes(
            macAlgorithm == MacAlgorithm.Sha1 ? AccessToken.Sha1MacKeyLength : AccessToken.Sha256MacKeyLength);
        var nonce = RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength);
        var token = new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(now), (uint)lifetime.TotalSeconds);
        Span<byte> octets = stackalloc byte[AccessToken.MaxEncodedLength];
        var length = key.Turn.Encrypt(token, nonce, Encoding.UTF8.GetBytes(audience), octets);
        return new IssuedToken(
            Convert.ToBase64String(octets[..length]), key.Kid, Convert.ToBase64String(macKey), macAlgorithm,
            lifetime, Base64Url.EncodeToString(nonce));
    }

    /// <summary>Reads a token that this server issued with one of its present keys; null for any other text.</summary>
    public TokenIdentity? Identify(string accessToken)
    {
        // The tokens of RFC 7635 §6.2 are short: longer text does not fit, and is refused.
        var octets = new byte[AccessToken.MaxEncodedLength];
        if (!Convert.TryFromBase64String(accessToken, octets, out var length)) return null;
        if (!AccessTokenKey.TryGetNonce(octets.AsSpan(0, length), out var nonce)) return null;
        var now = time.GetUtcNow();
        foreach (var ring in rings.Turn)
        {
            var name = Encoding.UTF8.GetBytes(ring.Settings.Name);
            foreach (var key in ring.GetAlive(now))
            {
                if (key.Material.Turn.TryDecrypt(octets.AsSpan(0, length), name, out var token) != AccessTokenStatus.Valid) continue;

                // TURN servers accept a token a little longer, because clocks differ.
                var issued = token.Timestamp.ToDateTimeOffset();
                var end = issued.AddSeconds(token.LifetimeSeconds) + AccessToken.ClockDelta;
                return new TokenIdentity(key.Kid, Base64Url.EncodeToString(nonce), ring.Settings.Name, issued, end);
            }
        }

        return null;
    }
}
