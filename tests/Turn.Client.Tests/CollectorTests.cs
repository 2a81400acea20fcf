using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>The real TURN server with a collector that is absent or never answers: only the counters show it.</summary>
public sealed partial class CollectorTests : IDisposable
{
    // A listening socket accepts connections and data, which are never read.
    private readonly TcpListener _silent = new(IPAddress.Loopback, 0);

    public void Dispose() => _silent.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-78")]
    public async Task CollectorDownOrSilent_AllocationsAreMade_AndWhatIsLostIsCounted(bool isSilent)
    {
        _silent.Start();
        var port = ((IPEndPoint)_silent.LocalEndpoint).Port;
        if (!isSilent) _silent.Stop();
        var management = FreePorts.Tcp();
        await using var server = await TurnServerProcess.StartAsync(
            ("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"),
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{management}"), ("Prometheus__Port", $"{management}"),
            ("FlowView__Endpoint", $"http://127.0.0.1:{port}"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", $"http://127.0.0.1:{port}"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"), ("OTEL_BSP_SCHEDULE_DELAY", "100"));

        for (var i = 0; i < 60; i++)
        {
            await using var client =
                await TurnClient.ConnectAsync(
                    TurnUri.Parse($"turn:127.0.0.1:{server.Port}"), cancellationToken: TestContext.Current.CancellationToken);
            await client.AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: TestContext.Current.CancellationToken);
        }

        using var http = new HttpClient();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            var metrics = await http.GetStringAsync($"http://127.0.0.1:{management}/metrics", limit.Token);
            if (Failures().IsMatch(metrics) && (!isSilent || FullQueue().IsMatch(metrics))) break;
            await Task.Delay(100, limit.Token);
        }

        // Only the limits of the exporters delay its end.
        Assert.Equal(0, await server.EndAsync("TERM"));
    }

    [Theory]
    [InlineData("0", false)]
    [InlineData("1", true)]
    public async Task SampledOut_NoSpanIsSent_AndEverythingIsStillCounted(string ratio, bool isSent)
    {
        using var collector = new HttpListener { Prefixes = { $"http://127.0.0.1:{FreePorts.Tcp()}/" } };
        collector.Start();
        var paths = new List<string>();
        var receiving = ReceiveAsync(collector, paths);
        var management = FreePorts.Tcp();
        await using (var server = await TurnServerProcess.StartAsync(
            ("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"),
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{management}"), ("Prometheus__Port", $"{management}"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Prefixes.Single()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("FlowView__Endpoint", $"{collector.Prefixes.Single()}flow/")))
        {
            await using (var client =
                await TurnClient.ConnectAsync(
                    TurnUri.Parse($"turn:127.0.0.1:{server.Port}"), cancellationToken: TestContext.Current.CancellationToken))
                await client.AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: TestContext.Current.CancellationToken);

            using var http = new HttpClient();
            var metrics = await http.GetStringAsync($"http://127.0.0.1:{management}/metrics", TestContext.Current.CancellationToken);
            Assert.Contains("turn_allocation_duration_seconds_count", metrics, StringComparison.Ordinal);

            // The rest is sent at the end.
            Assert.Equal(0, await server.EndAsync("TERM"));
        }

        collector.Stop();
        await receiving;
        Assert.Contains("/v1/metrics", paths);
        Assert.Equal(isSent, paths.Contains("/v1/traces"));
        Assert.Equal(isSent, paths.Contains("/flow/v1/traces"));
        // FlowView does not use metrics.
        Assert.DoesNotContain("/flow/v1/metrics", paths);
    }

    [Theory]
    [InlineData("2")]
    [InlineData("half")]
    public async Task RatioThatIsNone_StopsTheStart(string ratio)
    {
        var (exitCode, output) =
            await TurnServerProcess.RunToEndAsync(("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio));

        Assert.NotEqual(0, exitCode);
        Assert.Contains("OTEL_TRACES_SAMPLER_ARG", output, StringComparison.Ordinal);
    }

    private static async Task ReceiveAsync(HttpListener collector, List<string> paths)
    {
        try
        {
            while (true)
            {
                var context = await collector.GetContextAsync();
                paths.Add(context.Request.Url!.AbsolutePath);
                await context.Request.InputStream.CopyToAsync(Stream.Null);
                context.Response.ContentType = "application/x-protobuf";
                context.Response.Close();
            }
        }
        catch (Exception error) when (error is HttpListenerException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    [GeneratedRegex(@"telemetry_export_failures_total\{?.*\}? [1-9]")]
    private static partial Regex Failures();

    [GeneratedRegex(@"otel_sdk_processor_span_processed\w*\{[^}]*error_type=""queue_full""")]
    private static partial Regex FullQueue();
}
