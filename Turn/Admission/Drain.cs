using System.Net;
using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// Whether this node takes new clients, and how the process ends. An operator may drain it and resume. The first SIGTERM (or SIGINT,
/// SIGQUIT) drains it for good: the process stops when the last allocation has ended, or at the deadline. The second stops it at once.
/// </summary>
internal sealed partial class Drain(
    TurnSettings settings, AllocationQuotas allocations, IHostApplicationLifetime application, TimeProvider time, ILogger<Drain> logger)
        : IHostLifetime, IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _atOnce = new();
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly IPEndPoint[] _alternates = [.. settings.Drain.Alternates().Select(IPEndPoint.Parse)];
    private int _signalCount;
    private volatile bool _isDrainedByOperator;

    /// <summary>New clients are sent elsewhere, and <c>/ready</c> says so.</summary>
    public bool IsDraining => _isDrainedByOperator || IsStopping;

    private bool IsStopping => Volatile.Read(ref _signalCount) > 0;

    /// <summary>Refuses new clients until <see cref="TryResume"/>. The process continues.</summary>
    public void Begin() => _isDrainedByOperator = true;

    /// <summary>Accepts new clients again. False when the process is stopping.</summary>
    public bool TryResume()
    {
        _isDrainedByOperator = false;
        return !IsStopping;
    }

    /// <summary>The ALTERNATE-SERVER for a client, of its address family (RFC 8489 §14.15); null when there is none.</summary>
    public TransportAddress? AlternateFor(in FiveTuple client)
    {
        var family = client.Client.Address.Family == StunAddressFamily.IPv6
            ? System.Net.Sockets.AddressFamily.InterNetworkV6 : System.Net.Sockets.AddressFamily.InterNetwork;
        if (Array.Find(_alternates, endpoint => endpoint.AddressFamily == family) is not { } alternate) return null;
        return TransportAddress.From(alternate.Port == 0 ? new IPEndPoint(alternate.Address, client.Server.Port) : alternate);
    }

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        foreach (var signal in new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT })
            _signals.Add(PosixSignalRegistration.Create(signal, OnSignal));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _atOnce.Dispose();
    }

    internal void OnSignal(PosixSignalContext context)
    {
        var count = Interlocked.Increment(ref _signalCount);
        if (count == 1) _ = DrainAsync();
        if (count == 2) _atOnce.Cancel();

        // The third signal has its default effect. (A terminal and the parent process may each send one.)
        context.Cancel = count < 3;
    }

    private async Task DrainAsync()
    {
        var began = time.GetTimestamp();
        var live = allocations.Total;
        if (live > 0 && settings.Drain.Deadline > TimeSpan.Zero) LogDraining(live, settings.Drain.Deadline);
        try
        {
            while (allocations.Total > 0 && time.GetElapsedTime(began) < settings.Drain.Deadline)
                await Task.Delay(PollInterval, time, _atOnce.Token);
        }
        catch (OperationCanceledException)
        {
            // A second signal ends the wait.
        }

        application.StopApplication();
    }

    [LoggerMessage(
        1, LogLevel.Information,
        "TURN takes no new clients and stops when its {Allocations} allocations have ended, in {Deadline} at the latest")]
    private partial void LogDraining(int allocations, TimeSpan deadline);
}
