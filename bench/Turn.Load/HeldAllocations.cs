using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Load;

/// <summary>
/// Holds many allocations on one server at a time: paced set-up with a token each, refreshes, some datagrams, and deletion. The quotas and
/// relay ports are the defaults. The clients have many addresses, as real ones have. Any error ends the run.
/// </summary>
internal sealed class HeldAllocations
{
    private const int MostAllocations = 15_000;
    private const int ClientsOfAddress = 100;
    private const int InFlight = 32;
    private const string Kid = "k1";

    // Exporters and sweeps run every second. What they need belongs to the idle server.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly int _count;
    private readonly int _rate;
    private readonly int _rounds;
    private readonly int _sample;
    private readonly string _key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <param name="args"><c>--allocations 10000 --rate 200 --rounds 2 --sample 1000</c>; the rate is per second.</param>
    public HeldAllocations(string[] args)
    {
        _count = Argument(args, "--allocations", 10_000, MostAllocations);
        _rate = Argument(args, "--rate", 200, 2000);
        _rounds = Argument(args, "--rounds", 2, 10);
        _sample = Math.Min(_count, Argument(args, "--sample", 1000, MostAllocations));
    }

    /// <returns>The exit code.</returns>
    public int Run()
    {
        try
        {
            HoldAll();
            return 0;
        }
        catch (AggregateException problem)
        {
            Console.Error.WriteLine(
                $"{problem.InnerExceptions.Count} clients failed at once, the first with: {problem.InnerException!.Message}");
            return 1;
        }
    }

    private void HoldAll()
    {
        using var redis = new RedisProcess();
        using var server = ComparedServer.Own(
            "Auto", ("ConnectionStrings__redis", redis.Address), ("Turn__Keys__0__Kid", Kid), ("Turn__Keys__0__Key", _key),
            ("Turn__Quotas__Total", "16000"), ("Turn__Quotas__PerClientAddress", "200"), ("Turn__Quotas__PerUser", "32"),
            ("Turn__Quotas__PerToken", "16"), ("Turn__Quotas__AllocatesPerMinuteOfToken", "120"),
            ("Turn__Quotas__AllocatesPerMinuteOfClientAddress", "1000"),
            ("Turn__RelayPorts__Min", "49152"), ("Turn__RelayPorts__Max", "65535"),
            // A machine without a raised limit has 20,000 open files or fewer, of which streams would get half.
            ("Turn__Streams__Total", "1000"));
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        peer.ReceiveTimeout = (int)Patience.TotalMilliseconds;
        peer.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = TransportAddress.From((IPEndPoint)peer.LocalEndPoint!);
        var clients = Enumerable.Range(0, _count).Select(number => new LoadClient(OptionsOf(number, server))).ToArray();
        try
        {
            Hold(server.ProcessId, clients, client => client.SetUp(address), peer);
        }
        finally
        {
            foreach (var client in clients) client.Dispose();
        }
    }

    private void Hold(int server, LoadClient[] clients, Action<LoadClient> setUp, Socket peer)
    {
        Console.WriteLine("| step | operations | per second | CPU µs each | resident memory, MB | descriptors |");
        Console.WriteLine("|---|---|---|---|---|---|");
        Thread.Sleep(Rest);
        var (memory, descriptors) = (ServerProcess.ResidentKilobytes(server), DescriptorsOf(server));
        Print("before", server);
        Measure("set-up: two Allocates and a ChannelBind", server, clients, setUp);
        Thread.Sleep(Rest);
        Print("idle", server);
        var (held, open) = (ServerProcess.ResidentKilobytes(server), DescriptorsOf(server));
        if (open - descriptors < _count) throw new InvalidOperationException($"{open - descriptors} descriptors for {_count} allocations");
        for (var round = 1; round <= _rounds; round++)
        {
            Measure($"Refresh, round {round}", server, clients, client => client.Refresh());
            Measure($"datagrams up and down, round {round}", server, clients[.._sample], client => client.Echo(peer), inFlight: 1);
        }

        Measure("Refresh with lifetime 0", server, clients, client => client.TearDown());
        Thread.Sleep(Rest);
        Print("after", server);
        if (DescriptorsOf(server) - descriptors > 32)
            throw new InvalidOperationException($"{DescriptorsOf(server) - descriptors} descriptors are left");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"\n{_count} allocations, no error; {(held - memory) / (double)_count:0.00} kB resident and " +
            $"{(open - descriptors) / (double)_count:0.00} descriptors each"));
    }

    /// <summary>Runs an operation once for each client, at the rate, and prints its cost.</summary>
    private void Measure(string step, int server, LoadClient[] clients, Action<LoadClient> operation, int inFlight = InFlight)
    {
        var cpu = ServerProcess.CpuMicroseconds(server);
        var watch = Stopwatch.StartNew();
        var next = -1;
        Parallel.For(0, inFlight, new ParallelOptions { MaxDegreeOfParallelism = inFlight }, _ =>
        {
            while (Interlocked.Increment(ref next) is var number && number < clients.Length)
            {
                var early = TimeSpan.FromSeconds(number / (double)_rate) - watch.Elapsed;
                if (early > TimeSpan.Zero) Thread.Sleep(early);
                operation(clients[number]);
            }
        });
        var seconds = watch.Elapsed.TotalSeconds;
        Print(step, server, clients.Length, clients.Length / seconds, (ServerProcess.CpuMicroseconds(server) - cpu) / clients.Length);
    }

    private static void Print(string step, int server, int operations = 0, double perSecond = 0, double cpu = 0) =>
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {step} | {operations} | {perSecond:0} | {cpu:0} | " +
            $"{ServerProcess.ResidentKilobytes(server) / 1024.0:0.0} | {DescriptorsOf(server)} |"));

    private static int DescriptorsOf(int process) => Directory.GetFileSystemEntries($"/proc/{process}/fd").Length;

    private LoadOptions OptionsOf(int number, ComparedServer server) => new()
    {
        Server = server.Endpoint,
        Kid = Kid,
        Key = _key,
        From = new IPAddress([127, 1, 0, (byte)(1 + number / ClientsOfAddress)]),
        ReceiveBuffer = 1 << 12,
    };

    private static int Argument(string[] args, string name, int fallback, int most) =>
        Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length
            ? Math.Clamp(int.Parse(args[index + 1], CultureInfo.InvariantCulture), 1, most) : fallback;
}
