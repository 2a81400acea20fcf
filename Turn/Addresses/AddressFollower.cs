using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Addresses;

/// <summary>
/// Follows the addresses of this machine: listens on each that Turn:ListenAddress means as soon as it can be bound, and keeps the peer
/// policy up to date, so that an address that comes later does not open the machine.
/// </summary>
internal sealed partial class AddressFollower(
    TurnSettings settings, IEnumerable<IAddressListener> listeners, IAddressChanges changes, ListeningAddresses listening,
    RelayAddresses relayAddresses, PublicAddresses publicAddresses, OwnAddresses own, HostNames names, PeerPolicy policy,
    EngineSettings engine, TimeProvider time, ILogger<AddressFollower> logger, Func<IReadOnlyList<MachineAddress>>? read = null)
    : BackgroundService
{
    // A notification may be lost, and a bind may fail for a reason of which no notification tells the end.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan NameInterval = TimeSpan.FromMinutes(1);

    // No allocation lives longer without a Refresh. An address that returns within this time serves its clients as before.
    private static readonly TimeSpan KeepTime = TimeSpan.FromMinutes(65);

    private const string NatHint = "The public side of a NAT belongs in Turn:PublicAddress";

    private readonly Func<IReadOnlyList<MachineAddress>> _read = read ?? MachineAddress.ReadAll;
    private readonly Lock _gate = new();
    private readonly IReadOnlyList<IAddressListener> _listeners = [.. listeners];
    private readonly IReadOnlyList<IPAddress> _named = TurnSettings.Addresses(settings.ListenAddress);
    private readonly Dictionary<IPAddress, Known> _known = [];
    private IReadOnlyList<MachineAddress> _machine = [];
    private string _loggedProblems = "";

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await names.ResolveAsync(cancellationToken);
        Update(isStart: true);
        await base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        RepeatAsync(cancel => changes.WaitAsync(cancel), stoppingToken),
        RepeatAsync(cancel => Task.Delay(Interval, time, cancel), stoppingToken),
        RepeatAsync(
            async cancel =>
            {
                await Task.Delay(NameInterval, time, cancel);
                await names.ResolveAsync(cancel);
            },
            stoppingToken));

    private async Task RepeatAsync(Func<CancellationToken, Task> wait, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await wait(stopping).ConfigureAwait(false);
                Update();
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogFailed(error);
                await Task.Delay(Interval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Compares the addresses of this machine with what is known, and opens and closes listeners.</summary>
    public void Update()
    {
        lock (_gate) Update(isStart: false);
    }

    private void Update(bool isStart)
    {
        ReadMachine();

        // Before a socket is open for a new address.
        policy.Machine = _machine.Select(address => InternetAddress.From(address.Address)).ToHashSet();
        var wanted = Wanted().ToList();
        foreach (var address in wanted) Open(address, isStart);
        CloseWhatIsGone(wanted);
        listening.Live = [.. wanted.Where(IsLive).Select(address => new ListeningAddress(address, InterfaceOf(address), IsNamed(address)))];
        engine.RelaysIPv4 = relayAddresses.Has(AddressFamily.InterNetwork);
        engine.RelaysIPv6 = relayAddresses.Has(AddressFamily.InterNetworkV6);
        policy.Relays.SetAddresses(relayAddresses.All);
        policy.Own = own.Read(wanted.Concat(_named).Concat(publicAddresses.All));
        listening.Problems = [.. Problems()];
        LogProblems();
    }

    private void ReadMachine()
    {
        try
        {
            _machine = _read();
        }
        catch (NetworkInformationException)
        {
            // The known addresses stay.
        }
    }

    // A socket bound to a wildcard does not say which address a datagram came to, and an answer must leave from that one
    // (RFC 8489 §6.3.1.2). So there is a socket for each address.
    private IEnumerable<IPAddress> Wanted() =>
        _named.SelectMany(named => IsWildcard(named) ? OfMachine(named.AddressFamily) : [named]).Distinct();

    private IEnumerable<IPAddress> OfMachine(AddressFamily family) => _machine
        .Select(address => address.Address)
        .Where(address => address.AddressFamily == family && !address.IsIPv6LinkLocal)
        .OrderBy(IPAddress.IsLoopback);

    private void Open(IPAddress address, bool isStart)
    {
        if (!_known.TryGetValue(address, out var known)) _known[address] = known = new Known();
        if (IsOfMachine(address))
        {
            known.WasOfMachine = true;
            known.GoneSince = null;
        }

        foreach (var listener in _listeners.Where(listener => !known.Open.Contains(listener)))
        {
            try
            {
                listener.Open(address);
                known.Open.Add(listener);
                known.Problems.Remove(listener);
            }
            catch (SocketException error)
            {
                // It is tentative, or comes later. Another program may also release a port, but at the start that is a mistake.
                var endpoint = new IPEndPoint(address, listener.Port);
                var mayCome = error.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported;
                if (isStart && !mayCome) throw BindErrors.CannotBind(endpoint, error);
                var problem = $"{endpoint} cannot be bound ({error.SocketErrorCode})";
                if (known.Problems.GetValueOrDefault(listener) != problem) LogWaiting(problem);
                known.Problems[listener] = problem;
            }
        }
    }

    private void CloseWhatIsGone(IReadOnlyCollection<IPAddress> wanted)
    {
        foreach (var (address, known) in _known.Where(it => !wanted.Contains(it.Key)).ToList())
        {
            known.GoneSince ??= time.GetTimestamp();
            if (time.GetElapsedTime(known.GoneSince.Value) < KeepTime) continue;
            foreach (var listener in known.Open) listener.Close(address);
            _known.Remove(address);
        }
    }

    // The first listener is that of UDP. An address that was never in the list of the machine is of a range that it has as a whole.
    private bool IsLive(IPAddress address) =>
        _known[address] is var known && known.Open.Contains(_listeners[0]) && (!known.WasOfMachine || IsOfMachine(address));

    private IEnumerable<string> Problems()
    {
        if (listening.Live.Count == 0)
            yield return $"TURN listens nowhere: this machine has no address of Turn:ListenAddress ({settings.ListenAddress})";
        foreach (var address in _named.Where(address => !IsWildcard(address) && !IsLive(address)))
        {
            yield return $"TURN does not listen on {address} of Turn:ListenAddress: this machine does not have it. " + NatHint;
        }

        if (listening.Live.Count > 0 && !engine.RelaysIPv4 && !engine.RelaysIPv6)
            yield return "No relay can be bound: peers cannot reach any address that TURN listens on";
        foreach (var address in TurnSettings.Addresses(settings.RelayAddress).Where(it => !IPAddress.IsLoopback(it) && !IsOfMachine(it)))
            yield return $"Relays cannot be bound to {address} of Turn:RelayAddress: this machine does not have it. " + NatHint;
        foreach (var name in publicAddresses.Unknown)
            yield return $"{name} of Turn:PublicAddress has no address: clients get the local addresses of relays";
    }

    private void LogProblems()
    {
        var problems = string.Join("; ", listening.Problems);
        if (problems == _loggedProblems) return;
        if (problems.Length > 0) LogProblems(problems);
        else LogNoProblem();
        _loggedProblems = problems;
    }

    private bool IsOfMachine(IPAddress address) => InterfaceOf(address) is not null;

    private string? InterfaceOf(IPAddress address) => _machine.FirstOrDefault(it => it.Address.Equals(address))?.Interface;

    private bool IsNamed(IPAddress address) => _named.Contains(address);

    private static bool IsWildcard(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    [LoggerMessage(1, LogLevel.Information, "{Problem}; TURN listens there as soon as it can")]
    private partial void LogWaiting(string problem);

    [LoggerMessage(2, LogLevel.Warning, "{Problems}")]
    private partial void LogProblems(string problems);

    [LoggerMessage(3, LogLevel.Information, "All addresses of the settings are there")]
    private partial void LogNoProblem();

    [LoggerMessage(4, LogLevel.Error, "The addresses of this machine could not be followed; the server tries again")]
    private partial void LogFailed(Exception error);

    /// <summary>An address that was wanted once.</summary>
    private sealed class Known
    {
        public HashSet<IAddressListener> Open { get; } = [];

        /// <summary>An interface of this machine had it.</summary>
        public bool WasOfMachine { get; set; }

        public long? GoneSince { get; set; }

        /// <summary>What was logged about a listener that could not be opened.</summary>
        public Dictionary<IAddressListener, string> Problems { get; } = [];
    }
}
