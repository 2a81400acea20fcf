namespace WebRtcIms.FlowView.Store;

/// <summary>The latest log records, within a bound on their number and on their size.</summary>
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

    /// <summary>Takes the records and numbers them.</summary>
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

    /// <summary>Those that fit, latest first.</summary>
    public (IReadOnlyList<LogEntry> Page, int Matches) Search(Func<LogEntry, bool> filter, int limit)
    {
        LogEntry[] entries;
        lock (_lock) entries = [.. _entries];
        var matches = entries.Where(filter).ToList();
        matches.Sort((one, other) => other.Time != one.Time ? other.Time.CompareTo(one.Time) : other.Sequence.CompareTo(one.Sequence));
        return ([.. matches.Take(limit)], matches.Count);
    }

    public void Clear()
    {
        lock (_lock)
        {
            _entries.Clear();
            _size = 0;
        }
    }
}
