using System.Diagnostics;
using StackExchange.Redis;
using WebRtcIms.Soak.Running;

namespace WebRtcIms.Soak.Sampling;

/// <summary>Samples all processes until it is stopped.</summary>
internal sealed class Sampler : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // A full collection stops a process for some milliseconds, so it is rarer.
    private const int SamplesBetweenCollections = 4;

    // What a process may keep more of: caches that fill late, threads of a busy minute. A leak for each call goes beyond.
    private static readonly Bound Resident = new(0.15, 24 * 1024);
    private static readonly Bound Kept = new(0.10, 3 * 1024);

    // The last 100,000 traces of clients, and the ends of the last 500,000 dialogs at least. They are full after hours.
    private static readonly Bound KeptWithTraces = Kept with { PerCall = 0.25 };
    private static readonly Bound KeptWithDialogs = Kept with { PerCall = 0.5 };
    private static readonly Bound Descriptors = new(0.10, 32);
    private static readonly Bound Threads = new(0.25, 12);
    private static readonly Bound Sockets = new(0.25, 16);
    private static readonly Bound RedisMemory = new(0.10, 1024);
    private static readonly Bound RedisKeys = new(0.15, 100);

    private readonly SoakSystem _system;
    private readonly ConnectionMultiplexer _redis;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly CancellationTokenSource _end = new();
    private readonly Dictionary<(string Process, string Figure), Series> _series = [];
    private Task _sampling = Task.CompletedTask;

    private Sampler(SoakSystem system, ConnectionMultiplexer redis) => (_system, _redis) = (system, redis);

    public IEnumerable<(string Process, Series Series)> All => _series.Select(entry => (entry.Key.Process, entry.Value));

    /// <summary>Samples only when it is asked.</summary>
    public static async Task<Sampler> ConnectAsync(SoakSystem system) => new(
        system, await ConnectionMultiplexer.ConnectAsync($"{system.Redis},allowAdmin=true,syncTimeout=30000,asyncTimeout=30000"));

    public static async Task<Sampler> StartAsync(SoakSystem system)
    {
        var sampler = await ConnectAsync(system);
        sampler._sampling = Task.Run(sampler.SampleAsync);
        return sampler;
    }

    public Task<RedisFigures> ReadRedisAsync(bool hasKeys = true) => RedisFigures.OfAsync(_redis, hasKeys);

    /// <summary>CPU time of each process and of Redis since its start, in seconds.</summary>
    public async Task<Dictionary<string, double>> ReadCpuAsync()
    {
        var cpu = _system.Processes.ToDictionary(part => part.Part, part => ProcessFigures.Of(part.Id).CpuSeconds);
        cpu["redis"] = (await RedisFigures.OfAsync(_redis, hasKeys: false)).CpuSeconds;
        if (_system.Postgres is { } postgres) cpu["postgres"] = ProcessFigures.CpuWithChildren(postgres);
        return cpu;
    }

    /// <summary>What a key of each prefix takes in Redis, in octets: the mean of some.</summary>
    public Task<IReadOnlyDictionary<string, double>> ReadKeySizesAsync() => RedisFigures.KeySizesAsync(_redis);

    /// <summary>The last sample is complete then.</summary>
    public async Task StopAsync()
    {
        await _end.CancelAsync();
        await _sampling;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _redis.DisposeAsync();
        _end.Dispose();
    }

    private async Task SampleAsync()
    {
        for (var number = 1; !_end.IsCancellationRequested; number++)
        {
            foreach (var part in _system.Processes) await SampleAsync(part, number % SamplesBetweenCollections == 0);
            var redis = await RedisFigures.OfAsync(_redis, hasKeys: false);
            Add("redis", "memory", "kB", RedisMemory, redis.MemoryKilobytes);
            Add("redis", "keys", "", RedisKeys, redis.Keys);
            await Task.Delay(Interval, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SampleAsync(PartProcess part, bool collects)
    {
        if (part.HasExited) throw new InvalidOperationException($"{part.Part} has ended:\n{part.Output}");
        var figures = ProcessFigures.Of(part.Id);
        Add(part.Part, "resident", "kB", Resident, figures.ResidentKilobytes);
        Add(part.Part, "descriptors", "", Descriptors, figures.Descriptors);
        Add(part.Part, "threads", "", Threads, figures.Threads);
        if (part.Part == "turn") Add(part.Part, "UDP sockets", "", Sockets, figures.UdpSockets);
        if (collects) Add(part.Part, "heap", "kB", KeptBy(part.Part), await Heap.CollectAsync(part.Id, _system.AddressOf(part.Part)));
    }

    private static Bound KeptBy(string part) => part switch
    {
        "ep-cscf" => KeptWithDialogs,
        "wic-web" => KeptWithTraces,
        _ => Kept,
    };

    private void Add(string process, string figure, string unit, Bound bound, double value)
    {
        if (!_series.TryGetValue((process, figure), out var series))
            _series[(process, figure)] = series = new Series(figure, unit, bound);
        series.Add(_watch.Elapsed.TotalMinutes, value);
    }
}
