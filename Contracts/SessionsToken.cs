using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Contracts;

/// <summary>
/// Authenticates a request of the WWSF to the eP-CSCF about a session: the time and its HMAC under the key that both share. The key itself
/// is never sent, and a stolen token is of no use after a minute.
/// </summary>
public static class SessionsToken
{
    /// <summary>The path of the question whether a session is registered. The WWSF asks it for each guest, again and again.</summary>
    public const string FindPath = "/sessions/find";

    /// <summary>Also how far the clocks of the two may differ.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    public static string Create(string key, DateTimeOffset now)
    {
        var time = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return $"{time}.{Sign(key, time)}";
    }

    /// <summary>Takes the same time for each key, so that a wrong one tells nothing about the right ones.</summary>
    public static bool Verify(string token, IEnumerable<string> keys, DateTimeOffset now)
    {
        if (token.Split('.') is not [var time, var signature]) return false;
        if (!long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var made)) return false;
        if (Math.Abs(now.ToUnixTimeSeconds() - made) > Lifetime.TotalSeconds) return false;
        var given = Encoding.UTF8.GetBytes(signature);
        var isKnown = false;
        foreach (var key in keys) isKnown |= CryptographicOperations.FixedTimeEquals(given, Encoding.ASCII.GetBytes(Sign(key, time)));
        return isKnown;
    }

    private static string Sign(string key, string time) => Base64Url.EncodeToString(
        HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.ASCII.GetBytes($"sessions {time}")));
}
