using System.Buffers.Text;
using WebRtcIms.Contracts;

namespace WebRtcIms.Turn.Settings;

/// <summary>Checks the keys in a response of the WAF. If one key cannot be used, none is used.</summary>
internal static class DeliveredKeys
{
    /// <summary>A ring has three or four keys. The bound is for a WAF that is broken.</summary>
    public const int MaxCount = 32;

    private static readonly long LatestEnd = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>Returns the first problem, without a secret, or null. Keys that have expired are left out.</summary>
    public static string? TryRead(LongTermKeys response, DateTimeOffset now, out List<TurnKeySettings> keys)
    {
        keys = [];
        if (response.All.Count > MaxCount) return $"the response has more than {MaxCount} keys";
        if (response.All.Any(key => key is not { K: not null, Kid: not null, Enc: not null })) return "a key has no k, kid or enc";
        keys = [.. response.All.Select(ToSettings)];
        if (keys.Select(key => key.Problem()).FirstOrDefault(problem => problem is not null) is { } problem)
            return $"a key cannot be used: {problem}";
        if (keys.DistinctBy(key => key.Kid).Count() < keys.Count) return "two keys have one kid";
        keys.RemoveAll(key => key.NotAfter <= now);
        return keys.Count == 0 ? "each key has expired; compare the clocks of this server and the WAF" : null;
    }

    private static TurnKeySettings ToSettings(LongTermKey key) => new()
    {
        Kid = key.Kid,
        Key = Base64Url.IsValid(key.K) ? Convert.ToBase64String(Base64Url.DecodeFromChars(key.K)) : "?",
        Algorithm = key.Enc,
        NotAfter = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(key.Exp, 0, LatestEnd)),
    };
}
