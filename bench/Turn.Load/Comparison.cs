using System.Globalization;

namespace WebRtcIms.Turn.Load;

/// <summary>
/// Runs the same loads against coturn and this project's server in turn (A B A B), and prints the medians with the ratio of each
/// round: figures of a noisy machine mean something only beside those of a peer in the same minute.
/// </summary>
internal static class Comparison
{
    private static readonly (string Name, LoadOptions Options)[] Scenarios =
    [
        ("up, N=100, 160 B", new() { Allocations = 100 }),
        ("down, N=100, 160 B", new() { Allocations = 100, Direction = Direction.Down }),
        ("up, N=1000, 160 B", new() { Allocations = 1000 }),
        ("down, N=1000, 160 B", new() { Allocations = 1000, Direction = Direction.Down }),
        ("up, N=100, 8 x 1200 B", new() { Allocations = 100, Size = 1200, Burst = 8 }),
        ("down, N=100, 8 x 1200 B", new() { Allocations = 100, Size = 1200, Burst = 8, Direction = Direction.Down }),
        ("down, N=1, 1200 B", new() { Allocations = 1, Size = 1200, Direction = Direction.Down }),
    ];

    /// <param name="args"><c>--rounds 5 --transport Epoll --packets 200000</c>.</param>
    public static void Run(string[] args)
    {
        var rounds = int.Parse(Argument(args, "--rounds") ?? "5", CultureInfo.InvariantCulture);
        var packets = int.Parse(Argument(args, "--packets") ?? "200000", CultureInfo.InvariantCulture);
        var transport = Argument(args, "--transport") ?? "Auto";
        Console.WriteLine("| load | measure | coturn | own | ratio of the medians | of the rounds |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var (name, options) in Scenarios)
        {
            var theirs = new List<Measured>();
            var ours = new List<Measured>();
            for (var round = 0; round < rounds; round++)
            {
                theirs.Add(Measure(ComparedServer.Coturn, options with { Packets = packets }));
                ours.Add(Measure(() => ComparedServer.Own(transport), options with { Packets = packets }));
            }

            Print(name, "CPU µs per datagram", theirs, ours, measured => measured.Relay.CpuMicroseconds);
            Print(name, "datagrams per second", theirs, ours, measured => measured.Relay.PacketsPerSecond);
            Console.WriteLine($"| {name} | lost, wrong | {Lost(theirs)} | {Lost(ours)} | | |");
            if (options.Allocations < 1000) continue;
            Print(name, "CPU µs per allocation", theirs, ours, measured => measured.SetUp.CpuMicroseconds);
            Print(name, "kB resident per allocation", theirs, ours, measured => measured.SetUp.ResidentKilobytes);
        }
    }

    private static Measured Measure(Func<ComparedServer> start, LoadOptions options)
    {
        using var server = start();
        options = options with { Server = server.Endpoint, ProcessId = server.ProcessId };

        // Allocations are measured in a server that has made some before, as a running one has. Those sockets stay open to the end:
        // coturn refuses an Allocate from the port of one that has just ended.
        using var warmUp = new LoadRun(options with { Allocations = 1000 });
        warmUp.SetUp();
        warmUp.TearDown();
        using var run = new LoadRun(options);
        var setUp = run.SetUp();
        run.Relay(options.WarmUp);
        return new Measured(setUp, run.Relay(options.Packets));
    }

    private static void Print(string load, string measure, List<Measured> theirs, List<Measured> ours, Func<Measured, double> read)
    {
        var ratios = theirs.Zip(ours, (their, our) => read(their) / read(our)).Order().ToList();
        var (their, our) = (Median(theirs.Select(read)), Median(ours.Select(read)));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {load} | {measure} | {their:0.##} | {our:0.##} | {their / our:0.00} | {ratios[0]:0.00} to {ratios[^1]:0.00} |"));
    }

    private static string Lost(List<Measured> measured) =>
        string.Create(CultureInfo.InvariantCulture, $"{measured.Sum(one => one.Relay.Lost)}, {measured.Sum(one => one.Relay.Wrong)}");

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private static string? Argument(string[] args, string name) =>
        Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length ? args[index + 1] : null;

    private sealed record Measured(SetUpResult SetUp, RelayResult Relay);
}
