using System.Text.Json;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Finding a trace by what a person knows about it.</summary>
public sealed class SearchTests : IDisposable
{
    private readonly FlowViewApp _app = new();
    private readonly HttpClient _client;

    public SearchTests() => _client = _app.Start();

    public void Dispose()
    {
        _client.Dispose();
        _app.Dispose();
    }

    [Theory]
    [InlineData("", 3, 2, 1)]
    [InlineData("service=waf", 2)]
    [InlineData("name=TOKEN", 3, 2)]
    [InlineData("service=wwsf&name=token", 3, 2)]
    [InlineData("service=waf&name=token+request")]
    [InlineData("attribute=turn.kid", 3, 1)]
    [InlineData("attribute=turn.kid%3Dk2", 3)]
    [InlineData("attribute=team%3Drelay", 3, 2, 1)]
    [InlineData("attribute=ims.step%3D8", 1)]
    [InlineData("error=true", 3)]
    [InlineData("min_ms=50", 3, 2)]
    [InlineData("min_ms=50&max_ms=150", 2)]
    [InlineData("limit=1", 3)]
    [InlineData("name=nothing+like+this")]
    public async Task Search_FindsTheTracesThatFit_LatestFirst(string query, params int[] expected)
    {
        await _client.SendAsync("/v1/traces", Samples.Of("turn", Samples.Span(1, 1, "turn allocate", attributes: [("turn.kid", "k1"), ("ims.step", 8)])));
        await _client.SendAsync("/v1/traces", Samples.Of("wwsf", Samples.Span(2, 1, "token request", atMs: 1000, tookMs: 100)));
        await _client.SendAsync("/v1/traces", Samples.Of("waf", Samples.Span(2, 2, "issue", parent: 1, atMs: 1010, tookMs: 20)));
        await _client.SendAsync("/v1/traces", Samples.Of("wwsf", Samples.Span(3, 1, "token", atMs: 2000, tookMs: 200, error: "refused", attributes: ("turn.kid", "k2"))));

        var found = await _client.GetJsonAsync($"/flow/api/traces?{query}");

        Assert.Equal(expected.Select(Samples.TraceId), found.GetProperty("traces").EnumerateArray().Select(trace => trace.Text("id")));
    }

    [Fact]
    public async Task Summary_NamesTheRootTheServicesAndTheSteps()
    {
        await _client.SendAsync("/v1/traces", Samples.Of("waf", Samples.Span(1, 2, "issue", parent: 1, atMs: 5, tookMs: 5, attributes: ("ims.step", 5))));
        await _client.SendAsync("/v1/traces", Samples.Of("wwsf", Samples.Span(1, 1, "token request", parent: 99, tookMs: 20, attributes: ("ims.step", 3))));

        var trace = (await _client.GetJsonAsync("/flow/api/traces")).GetProperty("traces")[0];

        Assert.Equal("token request", trace.Text("name"));
        Assert.Equal("wwsf", trace.Text("service"));
        Assert.Equal("""["3","5"]""", trace.GetProperty("steps").GetRawText());
        Assert.Equal(20, trace.GetProperty("duration").GetDouble(), 3);
        Assert.Equal("""["waf","wwsf"]""", (await _client.GetJsonAsync("/flow/api/services")).GetRawText());
    }

    [Theory, InlineData("00000000000000000000000000000001"), InlineData("no-id")]
    public async Task UnknownTrace_Is404WithASentence(string id)
    {
        using var answer = await _client.GetAsync($"/flow/api/traces/{id}", TestContext.Current.CancellationToken);

        Assert.Equal(404, (int)answer.StatusCode);
        Assert.Contains("not here", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_AreFilteredBySeverityServiceAndText()
    {
        await _client.SendAsync("/v1/logs", Samples.Log("turn", "relay is up", 1));
        await _client.SendAsync("/v1/logs", Samples.Log("waf", "K is old", 2, severity: 13));

        Assert.Equal(["K is old"], await Texts("severity=13"));
        Assert.Equal(["relay is up"], await Texts("service=turn"));
        Assert.Equal(["K is old"], await Texts("text=OLD"));
        Assert.Empty(await Texts("trace=no-trace"));
    }

    [Fact]
    public async Task OpenPage_IsToldWhichTracesChanged()
    {
        using var events = await _client.GetStreamAsync("/flow/api/events", TestContext.Current.CancellationToken);
        using var reader = new StreamReader(events);
        Assert.Equal("event: hello", await reader.ReadLineAsync(TestContext.Current.CancellationToken));

        await _client.SendAsync("/v1/traces", Samples.Of("turn", Samples.Span(1, 1)));

        while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is not "event: change")
        {
        }
        var change = JsonDocument.Parse((await reader.ReadLineAsync(TestContext.Current.CancellationToken))!["data: ".Length..]).RootElement;
        Assert.Equal("true", change.Text("spans"));
        Assert.Equal("false", change.Text("logs"));
        Assert.Equal(Samples.TraceId(1), change.GetProperty("traces")[0].GetString());
    }

    private async Task<IEnumerable<string>> Texts(string query) =>
        (await _client.GetJsonAsync($"/flow/api/logs?{query}")).GetProperty("logs").EnumerateArray().Select(log => log.Text("text"));
}
