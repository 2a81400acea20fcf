using System.Globalization;
using StackExchange.Redis;

namespace WebRtcIms.Soak.Sampling;

/// <summary>What Redis says about itself.</summary>
/// <param name="MemoryKilobytes">What its keys, its clients and its buffers take.</param>
/// <param name="Keys">All keys.</param>
/// <param name="Prefixes">The keys by the first two parts of their names, such as <c>turn:grant</c>.</param>
/// <param name="WithoutExpiry">Keys that never expire.</param>
/// <param name="Commands">Executed commands by their name, with those of scripts.</param>
/// <param name="CpuSeconds">CPU time since its start.</param>
internal sealed record RedisFigures(
    long MemoryKilobytes, long Keys, IReadOnlyDictionary<string, int> Prefixes, IReadOnlyList<string> WithoutExpiry,
    IReadOnlyDictionary<string, long> Commands, double CpuSeconds)
{
    private const int MostSizes = 200;

    public static async Task<RedisFigures> OfAsync(IConnectionMultiplexer redis, bool hasKeys)
    {
        var server = redis.GetServers()[0];
        var info = (await server.InfoAsync()).SelectMany(section => section).ToDictionary(pair => pair.Key, pair => pair.Value);
        var commands = (await server.InfoAsync("commandstats")).SelectMany(section => section)
            .ToDictionary(pair => pair.Key["cmdstat_".Length..], pair => CallsOf(pair.Value));
        Dictionary<string, int> prefixes = [];
        List<string> endless = [];
        if (hasKeys)
        {
            await foreach (var key in server.KeysAsync(pageSize: 1000))
            {
                var prefix = string.Join(':', key.ToString().Split(':')[..2]);
                prefixes[prefix] = prefixes.GetValueOrDefault(prefix) + 1;
                // A key that has just expired has no time to live either.
                if (await redis.GetDatabase().KeyTimeToLiveAsync(key) is null && await redis.GetDatabase().KeyExistsAsync(key))
                    endless.Add(key.ToString());
            }
        }

        return new(
            Number(info["used_memory"]) / 1024, await server.DatabaseSizeAsync(), prefixes, endless, commands,
            Fraction(info["used_cpu_sys"]) + Fraction(info["used_cpu_user"]));
    }

    /// <summary>The mean size of some keys of each prefix, in octets.</summary>
    public static async Task<IReadOnlyDictionary<string, double>> KeySizesAsync(IConnectionMultiplexer redis)
    {
        Dictionary<string, List<long>> sizes = [];
        await foreach (var key in redis.GetServers()[0].KeysAsync(pageSize: 1000))
        {
            var prefix = string.Join(':', key.ToString().Split(':')[..2]);
            if (!sizes.TryGetValue(prefix, out var known)) sizes[prefix] = known = [];
            if (known.Count < MostSizes) known.Add((long)await redis.GetDatabase().ExecuteAsync("MEMORY", "USAGE", key.ToString()));
        }

        return sizes.ToDictionary(entry => entry.Key, entry => entry.Value.Average());
    }

    // Such as calls=21,usec=175,usec_per_call=8.33,…
    private static long CallsOf(string statistics) => Number(statistics.Split(',')[0]["calls=".Length..]);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static double Fraction(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
