using WebRtcIms.FlowView.Settings;

namespace WebRtcIms.FlowView.Store;

/// <summary>
/// The spans, by trace, within a limit on their number and on their size. Beyond the limit the oldest trace is evicted as a whole,
/// because half a trace explains nothing. Traces that are not worth keeping, such as those of strangers, go before the others, and in any
/// case after some minutes; of a flood of them after one.
/// </summary>
/// <param name="settings">The limits.</param>
/// <param name="isWorthKeeping">Asked once for each trace. It runs while nothing changes.</param>
/// <param name="time">The clock of arrivals.</param>
internal sealed class TraceStore(FlowViewSettings settings, Func<Trace, bool> isWorthKeeping, TimeProvider time)
{
    /// <summary>The time that traces are kept for that are not worth keeping.</summary>
    public static readonly TimeSpan ShortLife = TimeSpan.FromMinutes(5);

    /// <summary>All spans of a call set-up have arrived by then.</summary>
    public static readonly TimeSpan UntilComplete = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, Trace> _traces = [];

    // By arrival. The traces in _new have not been judged yet, and are younger than all others.
    private readonly Queue<Trace> _kept = [];
    private readonly Queue<Trace> _new = [];
    private long _arrivals;
    private int _spans;
    private long _size;
    private long _evicted;

    public (int Traces, int Spans, long Size, long EvictedSpans) Usage
    {
        get
        {
            lock (_lock) return (_traces.Count, _spans, _size, _evicted);
        }
    }

    /// <summary>Adds the spans. Returns how many were refused because their trace is larger than a tenth of the store.</summary>
    public int Add(IReadOnlyCollection<Span> spans)
    {
        var refused = 0;
        lock (_lock)
        {
            foreach (var span in spans)
            {
                if (!HasRoomFor(span))
                {
                    refused++;
                    continue;
                }

                var trace = TraceOf(span.TraceId);
                var before = trace.Size;
                // A sender that got no answer sends again. The span replaces its first copy.
                if (trace.Put(span)) _spans++;
                _size += trace.Size - before;
                while (_spans > settings.Spans || _size > settings.TraceOctets) MakeRoom();
            }
        }
        return refused;
    }

    /// <summary>Evicts the traces that are not worth keeping and old enough. Call it now and then.</summary>
    public void Sweep()
    {
        lock (_lock)
        {
            while (IsOlderThan(ShortLife) || (_new.Count > settings.NewTraces && IsOlderThan(UntilComplete))) Judge();
            if (_traces.Count < _traces.Capacity / 4) _traces.TrimExcess();
        }
    }

    /// <summary>The spans of a trace, by start. The list is empty if the trace never came or is evicted.</summary>
    public IReadOnlyList<Span> Find(UInt128 traceId) => Find(traceId, trace => trace.InOrder()) ?? [];

    /// <summary>Null if the trace never came or is evicted. <paramref name="select"/> runs while nothing changes.</summary>
    public TResult? Find<TResult>(UInt128 traceId, Func<Trace, TResult> select)
        where TResult : class
    {
        lock (_lock) return _traces.TryGetValue(traceId, out var trace) ? select(trace) : null;
    }

    /// <summary>
    /// A page of the traces that fit, latest arrival first, and how many fit in total. The order is not that of their start times, which
    /// senders choose. The caller's filter runs while nothing changes.
    /// </summary>
    public (IReadOnlyList<TResult> Page, int Matches) Search<TResult>(
        Func<Trace, bool> filter, Func<Trace, TResult> select, int limit, int skip = 0)
    {
        lock (_lock)
        {
            var matches = _traces.Values.Where(filter).ToList();
            matches.Sort((one, other) => other.Arrival.CompareTo(one.Arrival));
            return ([.. matches.Skip(skip).Take(limit).Select(select)], matches.Count);
        }
    }

    private bool HasRoomFor(Span span)
    {
        var (count, size) = _traces.TryGetValue(span.TraceId, out var trace) ? (trace.Count, trace.Size) : (0, 0);
        return count < settings.SpansPerTrace && size + span.Size <= settings.OctetsPerTrace;
    }

    private Trace TraceOf(UInt128 id)
    {
        if (_traces.TryGetValue(id, out var known)) return known;

        var trace = new Trace(id, _arrivals++, time.GetTimestamp());
        _traces.Add(id, trace);
        _new.Enqueue(trace);
        _size += trace.Size;
        return trace;
    }

    private void MakeRoom()
    {
        if (IsOlderThan(UntilComplete)) Judge();
        else Evict(_kept.Count > 0 ? _kept.Dequeue() : _new.Dequeue());
    }

    private bool IsOlderThan(TimeSpan age) => _new.TryPeek(out var oldest) && time.GetElapsedTime(oldest.Arrived) > age;

    private void Judge()
    {
        var trace = _new.Dequeue();
        if (isWorthKeeping(trace)) _kept.Enqueue(trace);
        else Evict(trace);
    }

    private void Evict(Trace trace)
    {
        _traces.Remove(trace.Id);
        _spans -= trace.Count;
        _size -= trace.Size;
        _evicted += trace.Count;
    }
}
