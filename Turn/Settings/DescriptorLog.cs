using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.Turn.Settings;

/// <summary>Tells an operator that the limit of open files is lower than the settings.</summary>
internal static partial class DescriptorLog
{
    // A node for fewer calls than this was hardly meant to be one.
    private const int Few = 1000;

    public static void LogDescriptorShares(this WebApplication app)
    {
        var shares = app.Services.GetRequiredService<DescriptorShares>();
        if (!shares.IsLowered) return;
        var level = shares.Relays < Few ? LogLevel.Warning : LogLevel.Information;
        LogLowered(app.Logger, level, FileDescriptors.Limit, shares.Relays, shares.Streams);
    }

    [LoggerMessage(
        EventId = 1,
        Message = "The limit of open files (ulimit -n) is {Limit}, so there are at most {Relays} relays and {Streams} TCP or TLS streams. "
            +
        "Raise it, or lower Turn:Quotas:Total and Turn:Streams:Total")]
    private static partial void LogLowered(ILogger logger, LogLevel level, int? limit, int relays, int streams);
}
