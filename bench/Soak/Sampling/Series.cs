namespace WebRtcIms.Soak.Sampling;

/// <summary>What a figure may grow by from the first third of the judged time to the last: the largest of the three.</summary>
/// <param name="Share">Of its value in the first third.</param>
/// <param name="Number">In its unit.</param>
/// <param name="PerCall">In its unit for each call: a memory that is bounded, and is not full before the end.</param>
internal sealed record Bound(double Share, double Number, double PerCall = 0);

/// <summary>One figure of one process over the time of the run.</summary>
internal sealed class Series(string name, string unit, Bound bound)
{
    private readonly List<(double Minutes, double Value)> _points = [];

    public string Name => name;

    public string Unit => unit;

    public IReadOnlyList<(double Minutes, double Value)> Points => _points;

    public double Peak => _points.Count == 0 ? 0 : _points.Max(point => point.Value);

    public void Add(double minutes, double value) => _points.Add((minutes, value));

    /// <summary>Compares medians, so that a single peak decides nothing.</summary>
    /// <param name="from">The end of the warm-up, in minutes.</param>
    /// <param name="calls">The calls after it.</param>
    public Verdict Judge(double from, long calls)
    {
        var judged = _points.Where(point => point.Minutes >= from).ToList();
        if (judged.Count < 3)
            throw new InvalidOperationException($"{name} has {judged.Count} samples after the warm-up: the run is too short");
        var third = judged.Count / 3;
        var (first, last) = (Median(judged[..third]), Median(judged[^third..]));
        // From the middle of the first third to the middle of the last third.
        var slow = bound.PerCall * calls * 2 / 3;
        return new(first, last, Slope(judged), last - first <= Math.Max(first * bound.Share, Math.Max(bound.Number, slow)));
    }

    private static double Median(List<(double Minutes, double Value)> points)
    {
        var sorted = points.Select(point => point.Value).Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    /// <summary>By least squares.</summary>
    private static double Slope(List<(double Minutes, double Value)> points)
    {
        var (time, value) = (points.Average(point => point.Minutes), points.Average(point => point.Value));
        var spread = points.Sum(point => (point.Minutes - time) * (point.Minutes - time));
        return spread == 0 ? 0 : points.Sum(point => (point.Minutes - time) * (point.Value - value)) / spread;
    }
}

/// <summary>What a series did after the warm-up.</summary>
/// <param name="First">The median of the first third.</param>
/// <param name="Last">The median of the last third.</param>
/// <param name="PerMinute">The linear trend.</param>
/// <param name="IsFlat">Whether it grew by no more than its bound.</param>
internal sealed record Verdict(double First, double Last, double PerMinute, bool IsFlat);
