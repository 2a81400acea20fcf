using System.Net;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Telemetry of all users: only this machine, or callers with the key, send it and read it.</summary>
public sealed class AccessTests
{
    private const string Key = "0123456789abcdef0123456789abcdef";
    private static readonly string[] Paths =
        ["/flow/", "/flow/api/traces", "/flow/api/events", "/FLOW/api/usage", "/v1/traces", "/v1/logs", "/V1/metrics"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("SEC-4")]
    public async Task WithoutAKey_OnlyThisMachineIsServed()
    {
        using var app = new FlowViewApp { RemoteAddress = IPAddress.Parse("192.0.2.7") };
        using var client = app.Start();

        foreach (var path in Paths) Assert.Equal((path, HttpStatusCode.Unauthorized), (path, await StatusAsync(client, path)));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/alive"));
        app.RemoteAddress = null;
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/flow/api/traces"));
    }

    [Theory]
    [InlineData(null, HttpStatusCode.Unauthorized)]
    [InlineData("", HttpStatusCode.Unauthorized)]
    [InlineData(Key + "0", HttpStatusCode.Unauthorized)]
    [InlineData(Key, HttpStatusCode.OK)]
    [Requirement("SEC-4")]
    public async Task WithAKey_EveryCallerNeedsIt(string? presented, HttpStatusCode expected)
    {
        using var app = new FlowViewApp().With("FlowView:ApiKey", Key);
        using var client = app.Start();
        if (presented is not null) client.DefaultRequestHeaders.TryAddWithoutValidation(FlowViewKey.Header, presented);

        Assert.Equal(expected, await StatusAsync(client, "/flow/api/traces"));
        using var sent = await client.SendAsync("/v1/traces", Samples.Of("waf", Samples.Span(1, 1)));
        Assert.Equal(expected, sent.StatusCode);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/health"));
    }

    [Theory]
    [InlineData("Development", "rebound.example.net", HttpStatusCode.BadRequest)]
    [InlineData("Development", "localhost", HttpStatusCode.OK)]
    [InlineData("Production", "flow-view", HttpStatusCode.OK)]
    [InlineData("Production", "localhost", HttpStatusCode.BadRequest)]
    [Requirement("SEC-21")]
    public async Task ReboundName_ReadsNothing(string environment, string host, HttpStatusCode expected)
    {
        using var app = new FlowViewApp().With("environment", environment).With("AllowedHosts", "flow-view");
        using var client = app.Start();
        client.DefaultRequestHeaders.Host = host;

        Assert.Equal(expected, await StatusAsync(client, "/flow/api/traces"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/health"));
    }

    [Theory, InlineData("Production"), InlineData("Development")]
    [Requirement("SEC-5")]
    public async Task Answers_HaveNoHeaderOfTheRequest(string environment)
    {
        using var app = new FlowViewApp().With("environment", environment);
        using var client = app.Start();

        await HeaderEcho.ExpectNoneAsync(
            client, "/flow/api/traces?min_ms=x", "/flow/api/traces?from=x", "/flow/api/traces/x", "/v1/traces", "/nothing");
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(client, "/flow/api/traces?min_ms=x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("*")]
    [InlineData(" ; ")]
    [InlineData("flow-view;*")]
    [Requirement("SEC-21")]
    public async Task ProductionWithoutHosts_DoesNotStart(string hosts)
    {
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "dotnet", [typeof(Program).Assembly.Location, $"--AllowedHosts={hosts}", "--urls=http://127.0.0.1:0"])
        {
            RedirectStandardError = true,
            Environment = { ["ASPNETCORE_ENVIRONMENT"] = "Production" },
        })!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            var output = await process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);

            Assert.Equal(1, process.ExitCode);
            Assert.StartsWith("FlowView cannot start. AllowedHosts must name the hosts", output, StringComparison.Ordinal);
            Assert.Single(output.TrimEnd().Split('\n'));
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        var isOtlp = path.StartsWith("/v1", StringComparison.OrdinalIgnoreCase);
        using var request = new HttpRequestMessage(isOtlp ? HttpMethod.Post : HttpMethod.Get, path);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        return answer.StatusCode;
    }
}
