namespace WebRtcIms.FlowView.Store;

/// <summary>The spans of one trace, with the totals that lists and filters need. Guarded by the store's lock.</summary>
internal sealed class Trace(UInt128 id, long arrival)
{
    private readonly Dictionary<ulong, Span> _spans = [];
    private readonly Dictionary<string, int> _services = [];

    public UInt128 Id => id;

    /// <summary>Traces are numbered as they begin to arrive.</summary>
    public long Arrival => arrival;

    public int Count => _spans.Count;

    public long Size { get; private set; }

    public ulong Start { get; private set; } = ulong.MaxValue;

    public ulong End { get; private set; }

    public ulong Duration => End > Start ? End - Start : 0;

    public int Errors { get; private set; }

    /// <summary>Spans by service.</summary>
    public IReadOnlyDictionary<string, int> Services => _services;

    public IReadOnlyCollection<Span> Spans => _spans.Values;

    /// <summary>Where the trace begins: the first span without a parent, or whose parent nobody sent.</summary>
    public Span Root =>
        _spans.Values.Where(span => span.ParentId == 0).MinBy(span => span.Start)
        ?? _spans.Values.Where(span => !_spans.ContainsKey(span.ParentId)).MinBy(span => span.Start)
        ?? _spans.Values.MinBy(span => span.Start)!;

    public IReadOnlyList<Span> InOrder() => [.. _spans.Values.OrderBy(span => span.Start)];

    /// <summary>False when the span takes the place of one with the same id.</summary>
    public bool Put(Span span)
    {
        if (_spans.TryGetValue(span.SpanId, out var former)) Remove(former);
        _spans.Add(span.SpanId, span);
        Size += span.Size;
        Start = Math.Min(Start, span.Start);
        End = Math.Max(End, span.End);
        if (span.IsError) Errors++;
        _services[span.Source.Service] = _services.GetValueOrDefault(span.Source.Service) + 1;
        return former is null;
    }

    private void Remove(Span span)
    {
        _spans.Remove(span.SpanId);
        Size -= span.Size;
        if (span.IsError) Errors--;
        if (--_services[span.Source.Service] == 0) _services.Remove(span.Source.Service);
    }
}
