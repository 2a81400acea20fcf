using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Clients;

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
internal sealed class TokenIssuer(IReadOnlyList<TurnServerSettings> turnServers, TimeProvider time) : IDisposable
{
    private readonly Dictionary<string, (TurnServerSettings Server, AccessTokenKey Key)> _audiences =
        turnServers.ToDictionary(server => server.Name, server => (server, ToKey(server)));

    public bool Knows(string audience) => _audiences.ContainsKey(audience);

    /// <param name="audience">A known TURN server name.</param>
    /// <param name="macAlgorithm">One of <see cref="MacAlgorithm"/>.</param>
    /// <param name="limits">Those of the client.</param>
    public IssuedToken Issue(string audience, string macAlgorithm, ClientLimits? limits = null)
    {
        var (server, key) = _audiences[audience];
        var lifetime = limits?.Bound(server.TokenLifetime) ?? server.TokenLifetime;
        var macKey = RandomNumberGenerator.GetBytes(
            macAlgorithm == MacAlgorithm.Sha1 ? AccessToken.Sha1MacKeyLength : AccessToken.Sha256MacKeyLength);
        var nonce = RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength);
        var token = new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(time.GetUtcNow()), (uint)lifetime.TotalSeconds);
        Span<byte> octets = stackalloc byte[AccessToken.MaxEncodedLength];
        var length = key.Encrypt(token, nonce, Encoding.UTF8.GetBytes(audience), octets);
        return new IssuedToken(
            Convert.ToBase64String(octets[..length]), server.Kid, Convert.ToBase64String(macKey), macAlgorithm,
            lifetime, Base64Url.EncodeToString(nonce));
    }

    /// <summary>Reads a token that this server issued with one of its present keys; null for any other text.</summary>
    public TokenIdentity? Identify(string accessToken)
    {
        // The tokens of RFC 7635 §6.2 are short: longer text does not fit, and is refused.
        var octets = new byte[AccessToken.MaxEncodedLength];
        if (!Convert.TryFromBase64String(accessToken, octets, out var length)) return null;
        if (!AccessTokenKey.TryGetNonce(octets.AsSpan(0, length), out var nonce)) return null;
        foreach (var (name, (server, key)) in _audiences)
        {
            if (key.TryDecrypt(octets.AsSpan(0, length), Encoding.UTF8.GetBytes(name), out var token) != AccessTokenStatus.Valid) continue;

            // TURN servers accept a token a little longer, because clocks differ.
            var issued = token.Timestamp.ToDateTimeOffset();
            var end = issued.AddSeconds(token.LifetimeSeconds) + AccessToken.ClockDelta;
            return new TokenIdentity(server.Kid, Base64Url.EncodeToString(nonce), name, issued, end);
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var (_, key) in _audiences.Values) key.Dispose();
    }

    private static AccessTokenKey ToKey(TurnServerSettings server)
    {
        _ = AccessTokenAlgorithms.TryParse(server.Algorithm, out var algorithm);
        return new AccessTokenKey(server.Kid, algorithm, Convert.FromBase64String(server.Key));
    }
}
