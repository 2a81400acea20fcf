namespace WebRtcIms.FlowView.Store;

/// <summary>The spans of one trace, and what lists and filters need of them. Guarded by the store's lock.</summary>
/// <param name="id">The trace id.</param>
/// <param name="arrival">The number of its arrival.</param>
/// <param name="arrived">The time of its arrival, as a timestamp.</param>
internal sealed class Trace(UInt128 id, long arrival, long arrived)
{
    /// <summary>Roughly the octets that a trace occupies besides its spans.</summary>
    private const int OwnSize = 500;

    private readonly Dictionary<ulong, Span> _spans = [];
    private object? _derived;

    public UInt128 Id => id;

    /// <summary>Traces are numbered as they begin to arrive.</summary>
    public long Arrival => arrival;

    public long Arrived => arrived;

    public int Count => _spans.Count;

    public long Size { get; private set; } = OwnSize;

    public ulong Start { get; private set; } = ulong.MaxValue;

    public ulong End { get; private set; }

    public ulong Duration => End > Start ? End - Start : 0;

    public IReadOnlyCollection<Span> Spans => _spans.Values;

    /// <summary>The first span without a parent, or else the first one whose parent is missing.</summary>
    public Span Root =>
        _spans.Values.Where(span => span.ParentId == 0).MinBy(span => span.Start)
        ?? _spans.Values.Where(span => !_spans.ContainsKey(span.ParentId)).MinBy(span => span.Start)
        ?? _spans.Values.MinBy(span => span.Start)!;

    public Span? Find(ulong spanId) => _spans.GetValueOrDefault(spanId);

    /// <summary>The result of <paramref name="make"/>, cached until another span arrives. Lists ask for it often.</summary>
    public T Derived<T>(Func<Trace, T> make)
        where T : class => (T)(_derived ??= make(this));

    public IReadOnlyList<Span> InOrder() => [.. _spans.Values.OrderBy(span => span.Start)];

    /// <summary>False if the span replaces one with the same id.</summary>
    public bool Put(Span span)
    {
        var isNew = !_spans.Remove(span.SpanId, out var former);
        _spans.Add(span.SpanId, span);
        Size += span.Size - (former?.Size ?? 0);
        Start = Math.Min(Start, span.Start);
        End = Math.Max(End, span.End);
        _derived = null;
        return isNew;
    }
}
