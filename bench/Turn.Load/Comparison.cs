using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace WebRtcIms.Turn.Load;

/// <summary>
/// Runs the same loads against coturn and this project's server in turn (A B A B). Prints the medians and the ratio of each round,
/// because on a noisy machine only figures of the same minute are comparable.
/// </summary>
internal sealed class Comparison
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };
    /// <summary>Number of clients that set up concurrently.</summary>
    private const int InFlight = 64;

    private static readonly Measure Cpu = new("CPU µs per datagram", measured => measured.Relay!.CpuMicroseconds);
    private static readonly Measure Speed = new("datagrams per second", measured => measured.Relay!.PacketsPerSecond, MoreIsBetter: true);
    private static readonly Measure Lost = new("lost or wrong", measured => measured.Relay!.Lost + measured.Relay.Wrong, IsCount: true);
    private static readonly Measure SetUpCpu = new("CPU µs per allocation", measured => measured.SetUp.CpuMicroseconds);
    private static readonly Measure SetUpSpeed = new("allocations per second", measured => measured.SetUp.PerSecond, MoreIsBetter: true);
    private static readonly Measure Resident = new("kB resident per allocation", measured => measured.SetUp.ResidentKilobytes);
    private static readonly Measure[] Relaying = [Cpu, Speed, Lost];
    private static readonly Measure[] Echoing =
    [
        new("CPU µs per datagram", measured => measured.Echo!.CpuMicroseconds),
        new("round trip µs, median", measured => measured.Echo!.Median),
        new("round trip µs, 99 %", measured => measured.Echo!.Percentile99),
        new("lost", measured => measured.Echo!.Lost, IsCount: true),
    ];

    private static readonly (string Group, string Name, LoadOptions Options)[] Relays =
    [
        ("single", "up, N=100, 160 B", new() { Allocations = 100 }),
        ("single", "down, N=100, 160 B", new() { Allocations = 100, Direction = Direction.Down }),
        ("many", "up, N=1000, 160 B", new() { Allocations = 1000 }),
        ("many", "down, N=1000, 160 B", new() { Allocations = 1000, Direction = Direction.Down }),
        ("bursts", "up, N=100, 8 x 1200 B", new() { Allocations = 100, Size = 1200, Burst = 8 }),
        ("bursts", "down, N=100, 8 x 1200 B", new() { Allocations = 100, Size = 1200, Burst = 8, Direction = Direction.Down }),
        ("bursts", "down, N=1, 1200 B", new() { Allocations = 1, Size = 1200, Direction = Direction.Down }),
    ];

    private readonly int _rounds;
    private readonly int _packets;
    private readonly string _transport;
    private readonly string? _json;
    private readonly HashSet<string> _groups;
    private readonly List<object> _results = [];

    /// <param name="args">
    /// <c>--rounds 5 --transport Epoll --packets 200000 --only single,many,bursts,paced,idle,tokens,workers --json FILE</c>.
    /// </param>
    public Comparison(string[] args)
    {
        _rounds = int.Parse(Argument(args, "--rounds") ?? "5", CultureInfo.InvariantCulture);
        _packets = int.Parse(Argument(args, "--packets") ?? "200000", CultureInfo.InvariantCulture);
        _transport = Argument(args, "--transport") ?? "Auto";
        _json = Argument(args, "--json");
        _groups = [.. (Argument(args, "--only") ?? "single,many,bursts,paced,idle,tokens,workers").Split(',')];
    }

    public void Run()
    {
        // Each concurrent set-up holds a thread.
        ThreadPool.SetMinThreads(InFlight, InFlight);
        Console.WriteLine("| load | measure | coturn | own | ratio of the medians | of the rounds |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var (group, name, options) in Relays)
        {
            if (!_groups.Contains(group)) continue;
            Measure[] measures = options.Allocations < 1000 ? Relaying : [.. Relaying, SetUpCpu, SetUpSpeed];
            Compare(name, ComparedServer.Coturn, () => ComparedServer.Own(_transport), options with { Packets = _packets }, measures);
        }

        var paced = new LoadOptions { Direction = Direction.Echo, Packets = 25_000 };
        if (_groups.Contains("paced"))
            Compare($"echo, N=100, 160 B, {paced.Rate}/s", ComparedServer.Coturn, () => ComparedServer.Own(_transport), paced, Echoing);
        if (_groups.Contains("idle"))
        {
            // Many allocations after a small warm-up: otherwise they would reuse memory that a server keeps from ended allocations.
            var idle = new LoadOptions { Allocations = 9000, Packets = 1000, WarmUp = 1000 };
            Compare("idle, N=9000", ComparedServer.Coturn, () => ComparedServer.Own(_transport), idle, [Resident]);
        }

        if (_groups.Contains("tokens")) CompareTokens();
        if (_groups.Contains("workers")) CompareWorkers();
        if (_json is not null) File.WriteAllText(_json, JsonSerializer.Serialize(_results, Json));
    }

    /// <summary>
    /// Compares RFC 7635 tokens, each counted in Redis, with a password that coturn has in memory. The warm-up differs: this server gets
    /// a long one, so that it runs optimized code. coturn gets a short one, because each allocation that it has made slows down the next.
    /// </summary>
    private void CompareTokens()
    {
        using var redis = new RedisProcess();
        var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        foreach (var inFlight in (int[])[1, InFlight])
        {
            var options = new LoadOptions { Allocations = 2000, Packets = 1000, WarmUp = 1000, InFlight = inFlight };
            Compare(
                $"token with Redis (coturn: password), N=2000, {inFlight} at a time",
                ComparedServer.Coturn,
                () => ComparedServer.Own(
                    _transport, ("Turn__Keys__0__Kid", "k1"), ("Turn__Keys__0__Key", key), ("ConnectionStrings__redis", redis.Address)),
                options,
                [SetUpCpu, SetUpSpeed],
                options with { Kid = "k1", Key = key, Before = 10_000 });
        }
    }

    /// <summary>The column of coturn shows this server with one worker.</summary>
    private void CompareWorkers()
    {
        foreach (var (_, name, options) in Relays.Where(relay => relay.Group == "single"))
        {
            Compare(
                $"one worker (for coturn) and two: {name}",
                () => ComparedServer.Own(_transport, ("Turn__Workers", "1")),
                () => ComparedServer.Own(_transport, ("Turn__Workers", "2")),
                options with { Packets = _packets },
                Relaying);
        }
    }

    private void Compare(
        string load, Func<ComparedServer> startTheirs, Func<ComparedServer> startOurs, LoadOptions options, Measure[] measures,
        LoadOptions? ourOptions = null)
    {
        var theirs = new List<Measured>();
        var ours = new List<Measured>();
        for (var round = 0; round < _rounds; round++)
        {
            theirs.Add(RunOnce(startTheirs, options));
            ours.Add(RunOnce(startOurs, ourOptions ?? options));
        }

        foreach (var measure in measures) Print(load, measure, theirs, ours);
    }

    private static Measured RunOnce(Func<ComparedServer> start, LoadOptions options)
    {
        using var server = start();
        options = options with { Server = server.Endpoint, ProcessId = server.ProcessId };

        // The server makes some allocations before the measurement. Their sockets stay open to the end:
        // coturn refuses an Allocate from the port of one that has just ended.
        using var warmUp = new LoadRun(options with { Allocations = options.Before, InFlight = InFlight });
        warmUp.SetUp();
        warmUp.TearDown();
        using var run = new LoadRun(options);
        var setUp = run.SetUp();
        if (options.Direction == Direction.Echo)
        {
            run.Echo(options.Rate);
            return new Measured(setUp, null, run.Echo(options.Packets));
        }

        run.Relay(options.WarmUp);
        return new Measured(setUp, run.Relay(options.Packets), null);
    }

    private void Print(string load, Measure measure, List<Measured> theirs, List<Measured> ours)
    {
        var (their, our) = (theirs.ConvertAll(one => measure.Read(one)), ours.ConvertAll(one => measure.Read(one)));
        _results.Add(new { load, measure = measure.Name, theirs = their, ours = our });
        if (measure.IsCount)
        {
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"| {load} | {measure.Name} | {their.Sum()} | {our.Sum()} | | |"));
            return;
        }

        double Ratio(double a, double b) => measure.MoreIsBetter ? b / a : a / b;
        var ratios = their.Zip(our, Ratio).Order().ToList();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {load} | {measure.Name} | {Median(their):0.##} | {Median(our):0.##} | {Ratio(Median(their), Median(our)):0.00} | " +
            $"{ratios[0]:0.00} to {ratios[^1]:0.00} |"));
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private static string? Argument(string[] args, string name) =>
        Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length ? args[index + 1] : null;

    private sealed record Measured(SetUpResult SetUp, RelayResult? Relay, EchoResult? Echo);

    /// <summary>A column of figures. A ratio above 1 is always in favour of this server.</summary>
    private sealed record Measure(string Name, Func<Measured, double> Read, bool MoreIsBetter = false, bool IsCount = false);
}
