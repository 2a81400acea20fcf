using System.Threading.Channels;
using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Telemetry;

namespace WebRtcIms.Waf.Audit;

/// <summary>
/// Records each act as a log record, and as a row of the table <c>Audit</c>. An act that changes the store adds its row to its own
/// transaction. All other rows are queued for <see cref="AuditWriter"/>, so that no request waits for the database or fails with it.
/// </summary>
internal sealed partial class AuditLog(WafTelemetry telemetry, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>Rows that may wait for the database: some minutes of a busy WAF.</summary>
    public const int Capacity = 20_000;

    private const int MaxActorLength = 120;
    private const int MaxSubjectLength = 200;

    private readonly ILogger _logger = loggers.CreateLogger<AuditLog>();

    // There is one for each token, so the console leaves them out by default.
    private readonly ILogger _issues = loggers.CreateLogger("WebRtcIms.Waf.Audit.Issue");

    private readonly Channel<AuditEntry> _queue = Channel.CreateBounded<AuditEntry>(new BoundedChannelOptions(Capacity)
    {
        SingleReader = true,
    });

    /// <summary>The rows to write.</summary>
    public ChannelReader<AuditEntry> Queue => _queue.Reader;

    /// <summary>Logs an act and queues its row. When the queue is full, the row is counted as lost.</summary>
    public void Add(string actor, string action, string subject, string? address)
    {
        var entry = Create(actor, action, subject, address);
        Log(entry);
        if (!_queue.Writer.TryWrite(entry)) telemetry.AuditLost(1);
    }

    /// <summary>The row of an act, for the transaction of the act. Call <see cref="Log"/> once it is committed.</summary>
    public AuditEntry Create(string actor, string action, string subject, string? address) => new()
    {
        At = time.GetUtcNow().ToUnixTimeSeconds(),
        Actor = Bounded(actor, MaxActorLength),
        Action = action,
        Subject = Bounded(subject, MaxSubjectLength),
        Address = address,
    };

    public void Log(AuditEntry entry) => LogAct(
        AuditAction.IsIssue(entry.Action) ? _issues : _logger, entry.Action, entry.Subject, entry.Actor, entry.Address ?? "this process");

    // One row that PostgreSQL refuses, for its length or a NUL, would keep all others from being written.
    private static string Bounded(string text, int length)
    {
        if (text.Length > length) text = text[..length];
        return text.Contains('\0', StringComparison.Ordinal) ? text.Replace('\0', '?') : text;
    }

    [LoggerMessage(1, LogLevel.Information, "{Action} {Subject} by {Actor} from {Address}", EventName = "audit")]
    private static partial void LogAct(ILogger logger, string action, string subject, string actor, string address);
}
