namespace WebRtcIms.FlowView.Settings;

/// <summary>Another page that shows the same trace, by its address with the placeholder <c>{trace_id}</c>.</summary>
internal sealed class TraceViewer
{
    private const string Placeholder = "{trace_id}";
    private const string PathInAspire = "/traces/detail/";

    private readonly string _template;

    private TraceViewer(string template, Uri sample)
    {
        _template = template;
        Name = sample.AbsolutePath.Contains(PathInAspire, StringComparison.Ordinal) ? "Aspire" : sample.Authority;
    }

    /// <summary>The viewer's name, for the text of the link.</summary>
    public string Name { get; }

    public static TraceViewer? Parse(string template) =>
        template.Contains(Placeholder, StringComparison.Ordinal)
        && Uri.TryCreate(template.Replace(Placeholder, "0", StringComparison.Ordinal), UriKind.Absolute, out var sample)
        && sample.Scheme is "http" or "https"
            ? new TraceViewer(template, sample)
            : null;

    public string UrlOf(string traceId) => _template.Replace(Placeholder, traceId, StringComparison.Ordinal);
}
