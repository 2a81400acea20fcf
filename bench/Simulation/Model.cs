namespace WebRtcIms.Simulation;

/// <summary>
/// The load as operations per second, and what it takes. Each operation costs each process what was measured, and costs add up. So the
/// model has no queues, and no gain or loss of larger machines.
/// </summary>
internal sealed class Model(Measured measured, Assumptions assumed)
{
    /// <summary>Parts of which there may be as many as are needed.</summary>
    public static readonly string[] Parts = ["wic-web", "wwsf", "waf", "ep-cscf", "turn"];

    /// <summary>What there is once: one process, or one server that writes.</summary>
    public static readonly string[] Single = ["redis", "flow-view", "postgres"];

    // Operations in a row cost less than those of a running system, each of which wakes threads. The soak says by how much.
    private readonly Dictionary<string, double> _factors =
        Comparison.Of(measured).ToDictionary(entry => entry.Process, entry => Math.Max(1, entry.Measured / entry.Predicted));

    /// <summary>The renewal of a token and of a registration.</summary>
    public double Renewals => assumed.Users / (0.8 * assumed.TokenSeconds);

    public double CallSetUps => assumed.Calls / assumed.CallSeconds;

    public double LogIns => assumed.Users * assumed.LogInsPerUserAndHour / 3600;

    public double Datagrams => assumed.Calls * assumed.RelayedAllocationsPerCall * assumed.DatagramsPerSecondOfAllocation;

    /// <summary>Live allocations.</summary>
    public double Allocations => 2 * assumed.Calls;

    /// <summary>Octets per second in and out of all TURN nodes.</summary>
    public double NetworkOctets => 2 * Datagrams * assumed.OctetsOfDatagram;

    /// <summary>Operations per second of the whole system, by their names in measured.json.</summary>
    public IReadOnlyDictionary<string, double> Rates => new Dictionary<string, double>
    {
        ["token_and_registration"] = Renewals,
        ["guest_log_in_and_out"] = LogIns,
        ["sip_call"] = CallSetUps,
        ["turn_token"] = 2 * CallSetUps,
        ["allocation"] = 2 * assumed.AllocationsPerPage * CallSetUps,
        ["refresh"] = Allocations / assumed.RefreshSeconds,
        ["relayed_datagram"] = Datagrams,
    };

    /// <summary>Processors that a process can use: Redis executes commands in one thread.</summary>
    public double Most(string process) => process == "redis" ? 1 : assumed.CoresOfNode;

    /// <summary>What is needed of what a single process can use, with the margin.</summary>
    public double Load(string process) => Cores(process) / assumed.Utilisation / Most(process);

    /// <summary>Processors that a process would need, before the margin of the utilisation. Nodes read revocations beside it.</summary>
    public double Cores(string process) => Rates.Sum(rate => rate.Value * CostOf(rate.Key, process) * FactorOf(rate.Key, process)) / 1e6
        * (process == "flow-view" ? assumed.SampledTraces : 1) + (process == "redis" ? RevocationCores : 0);

    /// <summary>Instances of a part: by processors, or by connections.</summary>
    public double Instances(string part) => Math.Ceiling(Math.Max(
        Cores(part) / assumed.Utilisation / assumed.CoresOfNode,
        part is "wic-web" or "ep-cscf" ? assumed.Users / assumed.ConnectionsOfNode : 1));

    public double RedisCommands => Rates.Sum(rate => rate.Value * measured.Operations[rate.Key].RedisCommands);

    /// <summary>Ended sessions whose tokens have not expired.</summary>
    public double Revocations => LogIns * (assumed.TokenSeconds + assumed.RevocationReserveSeconds);

    /// <summary>Entries per second from Redis, because each TURN node and each eP-CSCF reads all revocations at an interval.</summary>
    public double RevocationEntries => Revocations * (Instances("turn") + Instances("ep-cscf")) / assumed.RevocationPollSeconds;

    public double RevocationCores => RevocationEntries * CostOf("revocation_entry", "redis") / 1e6;

    /// <summary>Octets in Redis by the prefix of the keys.</summary>
    public IReadOnlyDictionary<string, double> RedisOctets => new Dictionary<string, double>
    {
        ["ims:binding"] = assumed.Users * measured.OctetsOf("redis ims:binding"),
        ["ims:session"] = assumed.Users * measured.OctetsOf("redis ims:session"),
        ["turn:grant"] = 2 * CallSetUps * assumed.TokenSeconds * measured.OctetsOf("redis turn:grant"),
        ["turn:life"] = 2 * CallSetUps * assumed.TokenSeconds * measured.OctetsOf("redis turn:life"),
        ["turn:replay"] = Rates["allocation"] * assumed.TokenSeconds * measured.OctetsOf("redis turn:replay"),
        ["waf:assertion"] = (2 * CallSetUps + Renewals + LogIns) * assumed.AssertionSeconds * measured.OctetsOf("redis waf:assertion"),
        ["ims:revoked"] = Revocations * measured.OctetsOf("redis ims:revoked"),
    };

    /// <summary>Memory of one instance beside the process itself, in octets.</summary>
    public double InstanceOctets(string part) => part switch
    {
        "turn" => Allocations / Instances(part) * measured.OctetsOf("turn allocation"),
        "ep-cscf" or "wic-web" => assumed.Users / Instances(part) * measured.OctetsOf($"{part} page"),
        _ => 0,
    };

    // The cost of a relayed datagram was measured at a high rate, which is that of the model.
    private double FactorOf(string operation, string process) => operation == "relayed_datagram" ? 1 : _factors[process];

    private double CostOf(string operation, string process) =>
        measured.Operations[operation].CpuMicroseconds.GetValueOrDefault(process);
}
