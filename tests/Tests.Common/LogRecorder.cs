using Microsoft.Extensions.Logging;

namespace WebRtcIms.Tests.Common;

/// <summary>Records log entries: the message and all its parameters.</summary>
public sealed class LogRecorder : ILoggerProvider
{
    private readonly List<string> _records = [];

    public IReadOnlyList<string> Records
    {
        get
        {
            lock (_records) return [.. _records];
        }
    }

    public IEnumerable<string> Errors => Records.Where(record => record.StartsWith(nameof(LogLevel.Error), StringComparison.Ordinal));

    /// <summary>All records, each on one or more lines.</summary>
    public string Text => string.Join('\n', Records);

    public ILogger CreateLogger(string categoryName) => new Recorder(this, categoryName);

    public void Dispose()
    {
    }

    private void Add(string record)
    {
        lock (_records) _records.Add(record);
    }

    private sealed class Recorder(LogRecorder log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var parts = state is IEnumerable<KeyValuePair<string, object?>> pairs
                ? string.Join(' ', pairs.Select(pair => $"{pair.Key}={pair.Value}"))
                : "";
            log.Add($"{logLevel} {category} {formatter(state, exception)} {parts} {exception}");
        }
    }
}
