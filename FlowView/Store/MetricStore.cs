namespace WebRtcIms.FlowView.Store;

internal enum MetricType
{
    Gauge,
    Counter,
    UpDownCounter,
    Histogram,
    Summary,
}

/// <summary>What identifies a series besides its attributes.</summary>
internal sealed record Instrument(string Service, string Instance, string Scope, string Name, string Unit, string Description, MetricType Type, bool IsDelta);

/// <summary>
/// One measurement. Of a gauge or counter <see cref="Value"/>; of a histogram the sum as value, <see cref="Count"/> and the
/// buckets, where <see cref="Bounds"/> has one entry less than <see cref="Buckets"/>.
/// </summary>
internal sealed record MetricPoint(ulong Time, double Value, ulong Count = 0, double[]? Bounds = null, ulong[]? Buckets = null);

/// <summary>A measurement that was taken within a trace.</summary>
internal sealed record Exemplar(ulong Time, double Value, UInt128 TraceId, ulong SpanId);

/// <summary>A measured value with one set of attributes over time. Guarded by the store's lock.</summary>
internal sealed class MetricSeries(Instrument instrument, Attribute[] attributes)
{
    private const int ExemplarsKept = 10;

    private readonly Queue<MetricPoint> _points = [];
    private readonly Queue<Exemplar> _exemplars = [];

    public Instrument Instrument => instrument;

    public Attribute[] Attributes => attributes;

    public MetricPoint[] Points => [.. _points];

    public Exemplar[] Exemplars => [.. _exemplars];

    public MetricPoint? Latest { get; private set; }

    public void Add(MetricPoint point, IEnumerable<Exemplar> exemplars, int limit)
    {
        Latest = point;
        _points.Enqueue(point);
        if (_points.Count > limit) _points.Dequeue();
        foreach (var exemplar in exemplars.Where(exemplar => !_exemplars.Contains(exemplar)))
        {
            _exemplars.Enqueue(exemplar);
            if (_exemplars.Count > ExemplarsKept) _exemplars.Dequeue();
        }
    }
}

/// <summary>
/// Metric series, each with its latest points, within a bound on both. A new series beyond the bound takes the place of the
/// one that was heard of longest ago.
/// </summary>
internal sealed class MetricStore(FlowViewSettings settings)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, MetricSeries Series)>> _series = [];
    private readonly LinkedList<(string Key, MetricSeries Series)> _byLastReport = [];

    public int Count
    {
        get
        {
            lock (_lock) return _series.Count;
        }
    }

    public void Add(Instrument instrument, Attribute[] attributes, MetricPoint point, IEnumerable<Exemplar> exemplars)
    {
        var key = KeyOf(instrument, attributes);
        lock (_lock)
        {
            if (_series.TryGetValue(key, out var node))
            {
                _byLastReport.Remove(node);
                _byLastReport.AddLast(node);
            }
            else
            {
                node = _byLastReport.AddLast((key, new MetricSeries(instrument, attributes)));
                _series.Add(key, node);
                if (_series.Count > settings.MetricSeries) ForgetStalest();
            }
            node.Value.Series.Add(point, exemplars, settings.PointsPerSeries);
        }
    }

    public IReadOnlyList<TResult> Select<TResult>(Func<MetricSeries, bool> filter, Func<MetricSeries, TResult> select)
    {
        lock (_lock) return [.. _byLastReport.Select(entry => entry.Series).Where(filter).Select(select)];
    }

    public void Clear()
    {
        lock (_lock)
        {
            _series.Clear();
            _byLastReport.Clear();
        }
    }

    private void ForgetStalest()
    {
        _series.Remove(_byLastReport.First!.Value.Key);
        _byLastReport.RemoveFirst();
    }

    private static string KeyOf(Instrument instrument, Attribute[] attributes) => string.Join(
        '\n',
        attributes.OrderBy(attribute => attribute.Key, StringComparer.Ordinal).Select(attribute => $"{attribute.Key}={AttributeText.Of(attribute.Value)}")
            .Prepend($"{instrument.Service}\n{instrument.Instance}\n{instrument.Scope}\n{instrument.Name}"));
}
