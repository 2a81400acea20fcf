using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>Initial and registration access tokens: random texts, of which the store has only hashes.</summary>
internal static class BearerToken
{
    private const string Scheme = "Bearer ";

    public static string Create() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    public static bool Verify(string token, string hash) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Hash(token)), Encoding.ASCII.GetBytes(hash));

    /// <summary>The token of a request (RFC 6750 §2.1); null when it has none, or several.</summary>
    public static string? Read(HttpRequest request) =>
        request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && header[Scheme.Length..].Trim() is { Length: > 0 } token
            ? token
            : null;
}
