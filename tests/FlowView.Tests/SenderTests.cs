using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Real senders: OpenTelemetry's own SDKs for .NET and for JavaScript.</summary>
public sealed partial class SenderTests
{
    /// <summary>Never disposed, for the sake of other hosts: see <see cref="HostActivitySource"/>.</summary>
    private static readonly ActivitySource Source = new("WebRtcIms.SenderTests");

    [Fact]
    [Requirement("OTLP-HTTP-1")]
    public async Task DotnetSdk_IsUnderstood_AndItsMetricsAreAccepted()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        using var meter = new Meter("WebRtcIms.SenderTests");
        ActivityTraceId traceId;
        var resource = ResourceBuilder.CreateEmpty().AddService("dotnet-sender", serviceInstanceId: "one");
        using (var traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Source.Name)
            .AddOtlpExporter(To(client, "v1/traces")).Build())
        using (var metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(meter.Name)
            .AddOtlpExporter((exporter, _) => To(client, "v1/metrics")(exporter)).Build())
        using (var logs = LoggerFactory.Create(logging => logging.AddOpenTelemetry(options => options
            .SetResourceBuilder(resource).AddOtlpExporter(To(client, "v1/logs")))))
        {
            using var activity = Source.StartActivity("work", ActivityKind.Server)!;
            activity.SetTag("ims.step", 5);
            activity.SetTag("ratio", 0.5);
            activity.AddEvent(new ActivityEvent("half way"));
            activity.SetStatus(ActivityStatusCode.Error, "did not work");
            traceId = activity.TraceId;
            meter.CreateHistogram<double>("work.duration", "s").Record(0.25, new KeyValuePair<string, object?>("outcome", "ok"));
            Assert.True(metrics.ForceFlush());
            LogSlow(logs.CreateLogger("Work"), "turn");
        }

        var span = Assert.Single((await client.GetJsonAsync($"/flow/api/traces/{traceId}")).GetProperty("spans").EnumerateArray());
        Assert.Equal(("dotnet-sender", "server", "WebRtcIms.SenderTests"), (span.Text("service"), span.Text("kind"), span.Text("scope")));
        Assert.Equal(("5", "0.5"), (span.Text("attributes", "ims.step"), span.Text("attributes", "ratio")));
        Assert.Equal(("true", "did not work"), (span.Text("error"), span.Text("message")));
        Assert.Equal("half way", span.GetProperty("events")[0].Text("name"));

        var log = Assert.Single((await client.GetJsonAsync($"/flow/api/traces/{traceId}")).GetProperty("logs").EnumerateArray());
        Assert.Equal((13, "Work"), (log.GetProperty("severity").GetInt32(), log.Text("category")));
        Assert.Equal("turn", log.Text("attributes", "Part"));
    }

    [Fact]
    [Requirement("OTLP-HTTP-1")]
    public async Task JavaScriptSdk_IsUnderstood()
    {
        var node = Tools.Require("node", "nodejs");
        var folder = Path.Combine(Programs.Folder, "npm-sender");
        if (!Directory.Exists(Path.Combine(folder, "node_modules"))) await Programs.RunAsync(Tools.Require("npm", "npm"), folder, "ci");
        using var app = new FlowViewApp();
        using var client = app.Start();

        var traceId = (await Programs.RunAsync(node, folder, "send.mjs", client.BaseAddress!.ToString())).Trim();

        var spans = (await client.GetJsonAsync($"/flow/api/traces/{traceId}")).GetProperty("spans").EnumerateArray().ToList();
        var order = Assert.Single(spans, span => span.Text("name") == "order");
        var charge = Assert.Single(spans, span => span.Text("name") == "charge");
        Assert.Equal(order.Text("id"), charge.Text("parent"));
        Assert.Equal(("shop", "3", "true"),
            (order.Text("service"), order.Text("attributes", "order.items"), order.Text("attributes", "order.paid")));
        Assert.Equal(JsonValueKind.Array, order.GetProperty("attributes").GetProperty("order.tags").ValueKind);
        Assert.Equal("card refused", charge.GetProperty("events")[0].Text("attributes", "exception.message"));
    }

    [LoggerMessage(1, LogLevel.Warning, "{Part} is slow")]
    private static partial void LogSlow(ILogger logger, string part);

    private static Action<OtlpExporterOptions> To(HttpClient client, string path) => options =>
    {
        options.Protocol = OtlpExportProtocol.HttpProtobuf;
        options.Endpoint = new Uri(client.BaseAddress!, path);
    };
}
