using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Searches for calls by each condition, and checks the answer.</summary>
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
    [Requirement("EXP-14")]
    [InlineData("", 4, 3, 2, 1)]
    [InlineData("text=guest", 4, 1)]
    [InlineData("text=GUEST+3f0a", 1)]
    [InlineData("text=00000000000000000000000000000002", 2)]
    [InlineData("outcome=worked", 4, 3, 1)]
    [InlineData("outcome=failed", 2)]
    [InlineData("outcome=failed&text=guest")]
    [InlineData("kind=echo", 1)]
    [InlineData("kind=demo_line", 2)]
    [InlineData("kind=relay_only", 4)]
    [InlineData("kind=registration", 3)]
    [InlineData("kind=other", 5)]
    [InlineData("other=true", 5, 4, 3, 2, 1)]
    [InlineData("min_ms=100", 3, 2)]
    [InlineData("min_ms=100&max_ms=150", 2)]
    [InlineData("from=2027-01-15T08:00:01Z", 4, 3, 2)]
    [InlineData("to=2027-01-15T08:00:02Z", 3, 2, 1)]
    [InlineData("from=2027-01-15T10:00:01%2B02:00&to=2027-01-15T08:00:01.5Z", 2)]
    [InlineData("attribute=enduser.pseudo.id", 4, 1)]
    [InlineData("attribute=enduser.pseudo.id%3D3f0a", 1)]
    [InlineData("attribute=team%3DRELAY&limit=2", 4, 3)]
    [InlineData("text=nobody")]
    [InlineData("text=register", 3)]
    [InlineData("text=demo_line", 2)]
    [InlineData("text=REFUSED+quota", 4)]
    [InlineData("text=refused+guest", 4)]
    [InlineData("text=refused+demo_line")]
    [InlineData("part=wwsf", 4, 1)]
    [InlineData("part=ep-cscf", 3)]
    [InlineData("part=redis", 3)]
    [InlineData("part=wwsf&outcome=failed")]
    [InlineData("limit=2&page=1", 4, 3)]
    [InlineData("limit=2&page=2", 2, 1)]
    [InlineData("limit=2&page=3")]
    [InlineData("limit=3&page=-1", 4, 3, 2)]
    [InlineData("limit=1000&page=2000000000")]
    [InlineData("until=2", 3, 2, 1)]
    [InlineData("until=2&limit=2&page=2", 1)]
    public async Task Search_FindsTheCallsThatFit_LatestFirst(string query, params int[] expected)
    {
        await SendAsync("wic", Samples.Span(1, 1, "set up call", attributes: ("ims.call.kind", "echo")));
        await SendAsync("wwsf", Check(1, "3f0a"));
        await SendAsync(
            "wic", Samples.Span(2, 1, "set up call", atMs: 1000, tookMs: 100, error: "", attributes: ("ims.call.kind", "demo_line")));
        await SendAsync("ep-cscf", Samples.Span(3, 1, "SIP REGISTER", atMs: 2000, tookMs: 200));
        await SendAsync("ep-cscf", Samples.Span(3, 2, "HGET", parent: 1, atMs: 2000, attributes: ("db.system.name", "redis")));
        await SendAsync("wwsf", Check(4, "91bc", atMs: 3000));
        await _client.SendAsync("/v1/logs", Samples.Log("turn", "An allocation was refused: the quota is used up", 4));
        await SendAsync("wic-web", Samples.Span(5, 1, "GET", atMs: 4000));

        var found = await _client.GetJsonAsync($"/flow/api/traces?{query}");

        Assert.Equal(expected.Select(Samples.TraceId), found.GetProperty("traces").EnumerateArray().Select(trace => trace.Text("id")));

        static Otlp.Span Check(int trace, string pseudonym, ulong atMs = 0) => Samples.Span(
            trace, 2, "check session", atMs: atMs,
            attributes: [("ims.step", 3), ("wwsf.session.kind", "anonymous"), ("enduser.pseudo.id", pseudonym)]);
    }

    [Theory]
    [InlineData("from=yesterday")]
    [InlineData("min_ms=long")]
    [InlineData("outcome=good")]
    [InlineData("kind=phone")]
    [InlineData("attribute=turn.lifetime>5")]
    [InlineData("attribute=turn.kid!%3Dk1")]
    [Requirement("EXP-24")]
    public async Task SearchThatCannotBeRead_Is400(string query)
    {
        using var answer = await _client.GetAsync($"/flow/api/traces?{query}", TestContext.Current.CancellationToken);

        Assert.Equal(400, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Summary_HasKindPeopleOutcomeCauseAndSteps()
    {
        await SendAsync(
            "waf", Samples.Span(1, 2, "token issue", parent: 1, atMs: 5, tookMs: 5, error: "no key", attributes: ("ims.step", 5)));
        await SendAsync("wwsf", Samples.Span(1, 1, "POST", parent: 99, tookMs: 20, error: "", attributes:
            [("http.request.method", "POST"), ("url.path", "/api/turn-token"), ("ims.step", 3), ("wwsf.session.kind", "user"),
                ("enduser.pseudo.id", "91bc")]));

        var call = (await _client.GetJsonAsync("/flow/api/traces")).GetProperty("traces")[0];

        Assert.Equal(("relay_only", "failed", "POST /api/turn-token"), (call.Text("kind"), call.Text("outcome"), call.Text("name")));
        Assert.Equal(("no key", "5"), (call.Text("cause", "message"), call.Text("failed_step")));
        Assert.Equal("""["user 91bc"]""", call.GetProperty("who").GetRawText());
        Assert.Equal("""["3","5"]""", call.GetProperty("steps").GetRawText());
        Assert.Equal(20, call.GetProperty("duration").GetDouble(), 3);
    }

    [Fact]
    public async Task CallInProgress_ChangesWhenItsSpansArrive()
    {
        await SendAsync("wic", Samples.Span(1, 2, "click call", parent: 1, attributes: [("ims.step", 1), ("ims.call.kind", "person")]));
        Assert.Equal("in_progress", await OutcomeAsync());

        await SendAsync("wic", Samples.Span(1, 1, "set up call", attributes: ("ims.call.kind", "person")));
        Assert.Equal("worked", await OutcomeAsync());
        Assert.Equal(10, (await _client.GetJsonAsync("/flow/api/traces")).GetProperty("traces")[0].GetProperty("set_up").GetDouble(), 3);

        async Task<string> OutcomeAsync() =>
            (await _client.GetJsonAsync("/flow/api/traces?kind=person")).GetProperty("traces")[0].Text("outcome");
    }

    [Fact]
    public async Task Call_HasItsSpansItsLogRecordsInOrderAndLinksToOtherViewers()
    {
        using var app = new FlowViewApp()
            .With("FlowView:TraceUrl", "http://localhost:15080/traces/detail/{trace_id} https://jaeger.example/trace/{trace_id}");
        using var client = app.Start();
        await client.SendAsync("/v1/traces", Samples.Of("turn", Samples.Span(1, 1)));
        foreach (var (text, trace) in new[] { ("first", 1), ("of another trace", 2), ("of no trace", 0), ("second", 1) })
            await client.SendAsync("/v1/logs", Samples.Log("turn", text, trace));

        var call = await client.GetJsonAsync($"/flow/api/traces/{Samples.TraceId(1)}");

        Assert.Equal(Samples.TraceId(1), call.Text("call", "id"));
        Assert.Single(call.GetProperty("spans").EnumerateArray());
        Assert.Equal(["first", "second"], call.GetProperty("logs").EnumerateArray().Select(log => log.Text("text")));
        Assert.Equal(["of no trace"], call.GetProperty("meanwhile").EnumerateArray().Select(log => log.Text("text")));
        Assert.Equal(
            [
                ("Aspire", $"http://localhost:15080/traces/detail/{Samples.TraceId(1)}"),
                ("jaeger.example", $"https://jaeger.example/trace/{Samples.TraceId(1)}"),
            ],
            call.GetProperty("viewers").EnumerateArray().Select(viewer => (viewer.Text("name"), viewer.Text("url"))));
    }

    [Fact]
    public async Task RecordsWithoutATrace_AreThoseOfTheTimeOfTheCall()
    {
        await SendAsync("turn", Samples.Span(1, 1, atMs: 5_001));
        await SendAsync("turn", Samples.Span(2, 1, atMs: 5_000));
        await _client.SendAsync("/v1/logs", Samples.Log("redis", "at the start", 0));

        Assert.Empty((await _client.GetJsonAsync($"/flow/api/traces/{Samples.TraceId(1)}")).GetProperty("meanwhile").EnumerateArray());
        Assert.Single((await _client.GetJsonAsync($"/flow/api/traces/{Samples.TraceId(2)}")).GetProperty("meanwhile").EnumerateArray());
    }

    [Theory, InlineData("00000000000000000000000000000001"), InlineData("no-id")]
    public async Task UnknownTrace_Is404WithASentence(string id)
    {
        using var answer = await _client.GetAsync($"/flow/api/traces/{id}", TestContext.Current.CancellationToken);

        Assert.Equal(404, (int)answer.StatusCode);
        Assert.Contains(
            "not here", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OpenPage_IsToldWhichTracesChanged()
    {
        using var events = await _client.GetStreamAsync("/flow/api/events", TestContext.Current.CancellationToken);
        using var reader = new StreamReader(events);
        Assert.Equal("event: hello", await reader.ReadLineAsync(TestContext.Current.CancellationToken));

        await SendAsync("turn", Samples.Span(1, 1));

        while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is not "event: change")
        {
        }
        var change =
            JsonDocument.Parse((await reader.ReadLineAsync(TestContext.Current.CancellationToken))!["data: ".Length..]).RootElement;
        Assert.Equal([Samples.TraceId(1)], change.GetProperty("traces").EnumerateArray().Select(trace => trace.GetString()!));
    }

    private Task<HttpResponseMessage> SendAsync(string service, Otlp.Span span) =>
        _client.SendAsync("/v1/traces", Samples.Of(service, span));
}
