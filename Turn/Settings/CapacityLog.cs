using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.Turn.Settings;

/// <summary>Tells an operator at the start that open files or relay ports are fewer than the settings allow to use.</summary>
internal static partial class CapacityLog
{
    // A node for fewer calls than this was hardly meant to be one.
    private const int Few = 1000;

    public static void LogCapacity(this WebApplication app)
    {
        var shares = app.Services.GetRequiredService<DescriptorShares>();
        var level = LevelFor(shares.Relays);
        if (shares.IsLowered) LogLowered(app.Logger, level, FileDescriptors.Limit, shares.Relays, shares.Streams);
        var settings = app.Services.GetRequiredService<TurnSettings>();
        var (min, max, total) = (settings.RelayPorts.Min, settings.RelayPorts.Max, settings.Quotas.Total);
        var ports = max - min + 1;
        level = LevelFor(ports);
        if (ports < total) LogPorts(app.Logger, level, min, max, ports, total);
    }

    private static LogLevel LevelFor(int relays) => relays < Few ? LogLevel.Warning : LogLevel.Information;

    [LoggerMessage(
        EventId = 1,
        Message = "The limit of open files (ulimit -n) is {Limit}, so there are at most {Relays} relays and {Streams} TCP or TLS streams. "
            +
        "Raise it, or lower Turn:Quotas:Total and Turn:Streams:Total")]
    private static partial void LogLowered(ILogger logger, LogLevel level, int? limit, int relays, int streams);

    [LoggerMessage(
        EventId = 2,
        Message = "Turn:RelayPorts has the {Ports} ports from {Min} to {Max}, and Turn:Quotas:Total is {Total}: Allocates beyond the ports "
            +
        "get 508. Widen the range, or lower the quota")]
    private static partial void LogPorts(ILogger logger, LogLevel level, int min, int max, int ports, int total);
}
