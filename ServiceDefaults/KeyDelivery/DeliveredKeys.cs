using WebRtcIms.Contracts;

namespace WebRtcIms.ServiceDefaults.KeyDelivery;

/// <summary>Checks the keys in a response of the WAF. If one key cannot be used, none is used.</summary>
public static class DeliveredKeys
{
    /// <summary>A ring has three or four keys. The bound is for a WAF that is broken.</summary>
    public const int MaxCount = 32;

    /// <summary>Returns the first problem, without a secret, or null. Keys that have expired are left out.</summary>
    /// <param name="response">The response.</param>
    /// <param name="now">The time.</param>
    /// <param name="convert">Makes a key of the service.</param>
    /// <param name="problemOf">Returns the problem of such a key, or null.</param>
    /// <param name="keys">The keys that can be used.</param>
    public static string? TryRead<TKey>(
        LongTermKeys response, DateTimeOffset now, Func<LongTermKey, TKey> convert, Func<TKey, string?> problemOf, out List<TKey> keys)
    {
        keys = [];
        if (response.All.Count > MaxCount) return $"the response has more than {MaxCount} keys";
        if (response.All.Any(key => key is not { K: not null, Kid: not null, Enc: not null })) return "a key has no k, kid or enc";
        var all = response.All.Select(key => (Key: convert(key), IsLive: key.Exp > now.ToUnixTimeSeconds())).ToList();
        if (all.Select(key => problemOf(key.Key)).FirstOrDefault(problem => problem is not null) is { } problem)
            return $"a key cannot be used: {problem}";
        if (response.All.DistinctBy(key => key.Kid).Count() < all.Count) return "two keys have one kid";
        keys = [.. all.Where(key => key.IsLive).Select(key => key.Key)];
        return keys.Count == 0 ? "each key has expired; compare the clocks of this server and the WAF" : null;
    }
}
