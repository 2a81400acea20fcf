using System.Diagnostics;
using WebRtcIms.Soak.Running;
using WebRtcIms.Soak.Sampling;

namespace WebRtcIms.Soak;

/// <summary>What is left after all pages have signed out: no relay, no registration, and no key that does not expire.</summary>
internal static class Remains
{
    // Tokens live two minutes at most. Revocations and used assertions are kept longer, and say nothing about calls.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);
    private static readonly string[] OfCalls = ["turn:grant", "turn:life", "turn:replay", "ims:binding", "ims:session"];

    /// <returns>Problems.</returns>
    public static async Task<IReadOnlyList<string>> FindAsync(SoakSystem system, Sampler sampler, int udpSocketsBefore, long pages)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var redis = await sampler.ReadRedisAsync();
            var sockets = ProcessFigures.Of(system["turn"].Id).UdpSockets;
            List<string> problems =
            [
                .. from prefix in OfCalls
                   let count = redis.Prefixes.GetValueOrDefault(prefix)
                   where count > (IsOfRegistrations(prefix) ? LostByATimeout(pages) : 0)
                   select $"Redis still has {count} keys {prefix}:*",
                .. redis.WithoutExpiry.Take(5).Select(key => $"The key {key} in Redis never expires"),
            ];
            if (sockets > udpSocketsBefore) problems.Add($"TURN has {sockets} UDP sockets, and had {udpSocketsBefore} before the calls");
            if (problems.Count == 0)
            {
                Console.WriteLine($"Keys that are left {watch.Elapsed.TotalSeconds:0} s after the last call: {Text(redis.Prefixes)}");
                return [];
            }

            if (watch.Elapsed > Limit) return problems;
            await Task.Delay(TimeSpan.FromSeconds(2));
        }
    }

    private static bool IsOfRegistrations(string prefix) => prefix.StartsWith("ims:", StringComparison.Ordinal);

    // If Redis does not answer in time when a connection ends, its binding stays until it expires, an hour after the registration.
    private static double LostByATimeout(long pages) => Math.Max(2, pages * 0.01);

    private static string Text(IReadOnlyDictionary<string, int> prefixes) =>
        string.Join(", ", prefixes.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => $"{entry.Value} {entry.Key}"));
}
