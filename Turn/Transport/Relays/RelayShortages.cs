using System.Net.Sockets;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Transport.Relays;

/// <summary>Why no relay could be bound. The client gets 508.</summary>
internal enum RelayShortage
{
    /// <summary>No port of the range is free.</summary>
    Ports,

    /// <summary>The process may open no further socket for relays.</summary>
    Descriptors,

    /// <summary>The kernel has no memory for a socket, or the process has none for more clients.</summary>
    Memory,

    /// <summary>The machine does not have the address of the relays.</summary>
    Address,
}

/// <summary>Counts what is refused for lack of something, and logs each cause once a minute.</summary>
internal sealed partial class RelayShortages(
    TurnSettings settings, TurnMetrics metrics, TimeProvider time, ILogger<RelayShortages> logger)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<RelayShortage, long> _logged = [];

    /// <summary>Whether there is no memory for more clients.</summary>
    public Func<bool> IsMemoryLow { get; init; } = () => ProcessMemory.IsLow;

    /// <summary>What a failure to open a socket means.</summary>
    public static RelayShortage Of(SocketException error) => error.SocketErrorCode switch
    {
        SocketError.TooManyOpenSockets => RelayShortage.Descriptors,
        SocketError.NoBufferSpaceAvailable => RelayShortage.Memory,
        SocketError.AddressNotAvailable => RelayShortage.Address,

        // Another program has the port, or keeps it for itself.
        _ => RelayShortage.Ports,
    };

    public void Report(RelayShortage shortage)
    {
        metrics.CountShortage(shortage.ToString());
        lock (_gate)
        {
            if (_logged.TryGetValue(shortage, out var last) && time.GetElapsedTime(last) < LogInterval) return;
            _logged[shortage] = time.GetTimestamp();
        }

        switch (shortage)
        {
            case RelayShortage.Ports:
                LogNoPort(settings.RelayPorts.Min, settings.RelayPorts.Max);
                break;
            case RelayShortage.Descriptors:
                LogNoDescriptor(FileDescriptors.Limit);
                break;
            case RelayShortage.Memory:
                LogNoMemory();
                break;
            default:
                LogNoAddress();
                break;
        }
    }

    [LoggerMessage(1, LogLevel.Warning,
        "Allocates get 508: no port from {Min} to {Max} is free. Widen Turn:RelayPorts, or add a node")]
    private partial void LogNoPort(int min, int max);

    [LoggerMessage(2, LogLevel.Warning,
        "Allocates get 508: no file descriptor is left for a relay. The limit (ulimit -n) is {Limit}: raise it, or add a node")]
    private partial void LogNoDescriptor(int? limit);

    [LoggerMessage(3, LogLevel.Warning, "Allocates get 508, and new streams are closed: the heap is nearly full. Give the process more memory, or add a node")]
    private partial void LogNoMemory();

    [LoggerMessage(4, LogLevel.Warning, "Allocates get 508: this machine does not have the address that relays are to be bound to")]
    private partial void LogNoAddress();
}
