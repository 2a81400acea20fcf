using WebRtcIms.FlowView.Settings;

namespace WebRtcIms.FlowView.Store;

/// <summary>
/// The spans, by trace, within a limit on their number and on their size. Beyond the limit the oldest trace is evicted as a whole,
/// because half a trace explains nothing.
/// </summary>
internal sealed class TraceStore(FlowViewSettings settings)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, Trace> _traces = [];
    private readonly Queue<Trace> _byArrival = [];
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
                while (_spans > settings.Spans || _size > settings.TraceOctets) EvictOldest();
            }
        }
        return refused;
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
    /// The traces that fit, latest arrival first, and how many fit in total. The order is not that of their start times, which senders
    /// choose. The caller's filter runs while nothing changes.
    /// </summary>
    public (IReadOnlyList<TResult> Page, int Matches) Search<TResult>(Func<Trace, bool> filter, Func<Trace, TResult> select, int limit)
    {
        lock (_lock)
        {
            var matches = _traces.Values.Where(filter).ToList();
            matches.Sort((one, other) => other.Arrival.CompareTo(one.Arrival));
            return ([.. matches.Take(limit).Select(select)], matches.Count);
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

        var trace = new Trace(id, _arrivals++);
        _traces.Add(id, trace);
        _byArrival.Enqueue(trace);
        return trace;
    }

    private void EvictOldest()
    {
        var trace = _byArrival.Dequeue();
        _traces.Remove(trace.Id);
        _spans -= trace.Count;
        _size -= trace.Size;
        _evicted += trace.Count;
    }
}
