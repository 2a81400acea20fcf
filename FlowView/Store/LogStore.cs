using WebRtcIms.FlowView.Settings;

namespace WebRtcIms.FlowView.Store;

/// <summary>The latest log records, within a limit on their number and on their size.</summary>
internal sealed class LogStore(FlowViewSettings settings)
{
    private readonly Lock _lock = new();
    private readonly Queue<LogEntry> _entries = [];
    private long _sequence;
    private long _size;

    public (int Entries, long Size) Usage
    {
        get
        {
            lock (_lock) return (_entries.Count, _size);
        }
    }

    /// <summary>Keeps the records and numbers them.</summary>
    public void Add(IEnumerable<LogEntry> entries)
    {
        lock (_lock)
        {
            foreach (var entry in entries)
            {
                _entries.Enqueue(entry with { Sequence = ++_sequence });
                _size += entry.Size;
                while (_entries.Count > settings.Logs || _size > settings.LogOctets) _size -= _entries.Dequeue().Size;
            }
        }
    }

    /// <summary>The traces that have a record with this word.</summary>
    public IReadOnlySet<UInt128> TracesWith(string word)
    {
        LogEntry[] entries;
        lock (_lock) entries = [.. _entries];
        return entries.Where(entry => entry.Text.Contains(word, StringComparison.OrdinalIgnoreCase)).Select(entry => entry.TraceId)
            .ToHashSet();
    }

    /// <summary>The records of a trace, in order.</summary>
    public IReadOnlyList<LogEntry> Of(UInt128 traceId) => InOrder(entry => entry.TraceId == traceId);

    /// <summary>The records without a trace between two times, in order: what the parts reported meanwhile.</summary>
    public IReadOnlyList<LogEntry> WithoutTrace(ulong from, ulong to) =>
        InOrder(entry => entry.TraceId == 0 && entry.Time >= from && entry.Time <= to);

    private IReadOnlyList<LogEntry> InOrder(Func<LogEntry, bool> filter)
    {
        LogEntry[] entries;
        lock (_lock) entries = [.. _entries];
        return [.. entries.Where(filter).OrderBy(entry => entry.Time).ThenBy(entry => entry.Sequence)];
    }
}
