using System.Diagnostics;
using System.Diagnostics.Metrics;
using OpenTelemetry;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Measures each Redis command from its span, under the name that OpenTelemetry's database conventions give it. Under sampling
/// it measures the sampled ones.
/// </summary>
internal sealed class RedisDurationProcessor : BaseProcessor<Activity>
{
    private static readonly Meter Meter = new("WebRtcIms.Redis");

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "db.client.operation.duration", "s", "Redis commands, by operation and failure",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] });

    public override void OnEnd(Activity data)
    {
        if (data.Source.Name != "WebRtcIms.Redis") return;
        var tags = new TagList
        {
            { "db.system.name", "redis" },
            { "db.operation.name", data.GetTagItem("db.operation.name") },
        };
        if (data.Status == ActivityStatusCode.Error) tags.Add("error.type", "redis");
        Duration.Record(data.Duration.TotalSeconds, tags);
    }
}
