using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The real WAF, and the real TURN server that shares a key with it.</summary>
public sealed class RealTurnSystem : IAsyncLifetime
{
    private WafProcess? _waf;
    private TurnServerProcess? _turn;

    public async ValueTask InitializeAsync()
    {
        _waf = await WafProcess.StartWithTwoServersAsync(WwsfApp.ClientSecret);
        _turn = await TurnServerProcess.StartAsync(
            ("Turn__ListenAddress", "127.0.0.1"), ("Turn__ServerName", WafProcess.TurnServer), ("Turn__Realm", "example.org"),
            ("Turn__Workers", "1"), ("Turn__Keys__0__Kid", "k1"), ("Turn__Keys__0__Key", _waf.LongTermKey));
    }

    public async ValueTask DisposeAsync()
    {
        if (_turn is not null) await _turn.DisposeAsync();
        if (_waf is not null) await _waf.DisposeAsync();
    }

    internal WwsfApp NewApp() => new WwsfApp()
        .With("services:waf:http:0", _waf!.Address)
        .With("Wwsf:TurnServerName", WafProcess.TurnServer)
        .With("Wwsf:Stage:OtherTurnServerName", WafProcess.OtherTurnServer)
        .With("Wwsf:TurnUris:0", $"turn:127.0.0.1:{_turn!.Port}?transport=udp");
}

/// <summary>Demonstrations of the page's stage: what the TURN server really says to a token that is misused.</summary>
public sealed class StageTests(RealTurnSystem system) : IClassFixture<RealTurnSystem>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("bit")]
    [InlineData("key")]
    [Requirement("RFC7635-7")]
    public async Task ChangedToken_OrAnotherKey_IsRefused_AndTheTokenItselfIsGood(string cheat)
    {
        using var app = system.NewApp();
        var answer = await CheatAsync(await app.OpenPageAsGuestAsync(), cheat);

        Assert.Equal([("honest", 200, "OK"), ("cheat", 401, "Unauthenticated")], Said(answer));
        Assert.Equal(("k1", 76, 600), (answer.Text("kid"), Number(answer, "octets"), Number(answer, "lifetime")));
        // The seal covers all octets behind the nonce.
        if (cheat == "bit") Assert.InRange(Number(answer, "changed_bit"), 8 * 14, 8 * 76 - 1);
        else Assert.Equal(JsonValueKind.Null, answer.Json.GetProperty("changed_bit").ValueKind);
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task TokenOfAnotherServer_IsRefused_AlsoUnderTheKidOfThisOne()
    {
        using var app = system.NewApp();
        var answer = await CheatAsync(await app.OpenPageAsGuestAsync(), "server");

        Assert.Equal([("cheat", 401, "Unauthenticated"), ("relabelled", 401, "Unauthenticated")], Said(answer));
        Assert.Equal("k2", answer.Text("kid"));
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task TokenAfterItsEnd_IsRefused_AndWasGoodBefore()
    {
        using var app = system.NewApp();
        var answer = await CheatAsync(await app.OpenPageAsAliceAsync(), "end");

        Assert.Equal([("honest", 200, "OK"), ("cheat", 401, "Unauthenticated")], Said(answer));
        Assert.Equal(1, Number(answer, "lifetime"));
        // Its second, and the five by which clocks may differ.
        Assert.InRange(answer.Json.GetProperty("attempts")[1].GetProperty("age_s").GetDouble(), 6, 60);
    }

    [Fact]
    public async Task SilentTurnServer_IsAProblem_AndNotARefusal()
    {
        using var app = system.NewApp().With("Wwsf:TurnUris:0", $"turn:127.0.0.1:{FreePorts.Tcp()}?transport=tcp");
        var answer = await (await app.OpenPageAsGuestAsync()).SendAsync(HttpMethod.Post, "/api/stage/cheats/bit");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "turn_unreachable"), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData("Production", null)]
    [InlineData("Staging", null)]
    [InlineData("Development", "false")]
    public async Task OutsideDevelopment_OrTurnedOff_NothingIsThere(string environment, string? enabled)
    {
        using var app = new WwsfApp(environment);
        if (enabled is not null) app.With("Wwsf:Stage:Enabled", enabled);
        var page = await app.OpenPageAsync(environment == "Development" ? "http://localhost" : WwsfApp.PublicOrigin);
        var session = await page.ContinueAsGuestAsync();

        Assert.False(session.Json.GetProperty("stage").GetBoolean());
        Assert.Equal(HttpStatusCode.NotFound, (await page.SendAsync(HttpMethod.Get, "/api/stage")).Status);
        foreach (var path in (string[])["cheats/bit", "cheats/key", "envelope", "parts/turn/break"])
            Assert.Equal(HttpStatusCode.NotFound, (await page.SendAsync(HttpMethod.Post, $"/api/stage/{path}")).Status);
    }

    [Fact]
    public async Task Strangers_AndOtherPages_GetNothing()
    {
        await using var control = await ScriptedControl.StartAsync();
        using var app = WithControl(control);
        var stranger = await app.OpenPageAsync();
        var guest = await app.OpenPageAsGuestAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.SendAsync(HttpMethod.Get, "/api/stage")).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.SendAsync(HttpMethod.Post, "/api/stage/parts/turn/break")).Status);
        Assert.Equal(HttpStatusCode.Forbidden,
            (await guest.SendAsync(HttpMethod.Post, "/api/stage/parts/turn/break", null, ("Sec-Fetch-Site", "same-site"))).Status);
        guest.AntiforgeryToken = "";
        var forged = await guest.SendAsync(HttpMethod.Post, "/api/stage/parts/turn/break");
        Assert.Equal((HttpStatusCode.BadRequest, "antiforgery"), (forged.Status, forged.Code));
        Assert.Empty(control.Broken);
    }

    [Fact]
    public async Task AnotherMachine_CanTryToCheat_ButNeitherStopPartsNorOpenTokens()
    {
        await using var control = await ScriptedControl.StartAsync();
        using var app = WithControl(control).With("Wwsf:Stage:TurnManagement:0", control.Address);
        app.RemoteAddress = IPAddress.Parse("192.0.2.7");
        var guest = await app.OpenPageAsGuestAsync();

        var offer = (await guest.SendAsync(HttpMethod.Get, "/api/stage")).Json;
        Assert.Equal(["bit", "end", "key"], offer.GetProperty("cheats").EnumerateArray().Select(cheat => cheat.GetString()));
        Assert.Equal((0, false), (offer.GetProperty("parts").GetArrayLength(), offer.GetProperty("can_open").GetBoolean()));
        foreach (var (path, body) in new[] { ("parts/turn/break", (object?)null), ("envelope", new { relay = "127.0.0.1:50000" }) })
            Assert.Equal(HttpStatusCode.NotFound, (await guest.SendAsync(HttpMethod.Post, $"/api/stage/{path}", body)).Status);
        Assert.Empty(control.Broken);
        Assert.Empty(control.Opened);
    }

    [Fact]
    public async Task Parts_AreThoseOfTheApplicationHost_WithTheKeyOfThisRun()
    {
        await using var control = await ScriptedControl.StartAsync();
        using var app = WithControl(control);
        var guest = await app.OpenPageAsGuestAsync();

        var part = Assert.Single((await guest.SendAsync(HttpMethod.Get, "/api/stage")).Json.GetProperty("parts").EnumerateArray());
        Assert.Equal(("turn", "down", 4.5),
            (part.GetProperty("name").GetString(), part.GetProperty("state").GetString(), part.GetProperty("restarts_in").GetDouble()));
        Assert.Equal(HttpStatusCode.OK, (await guest.SendAsync(HttpMethod.Post, "/api/stage/parts/turn/break")).Status);
        Assert.Equal(["turn"], control.Broken);
        var again = await guest.SendAsync(HttpMethod.Post, "/api/stage/parts/turn/break");
        Assert.Equal((HttpStatusCode.Conflict, "part_is_down"), (again.Status, again.Code));
        Assert.Equal(HttpStatusCode.NotFound, (await guest.SendAsync(HttpMethod.Post, "/api/stage/parts/wwsf/break")).Status);
        Assert.All(control.Keys, key => Assert.Equal("Bearer the key of this run", key));
    }

    [Fact]
    public async Task ApplicationHostThatIsGone_IsAProblem()
    {
        using var app = new WwsfApp().With("Wwsf:Stage:Control", $"http://127.0.0.1:{FreePorts.Tcp()}");
        var guest = await app.OpenPageAsGuestAsync();

        foreach (var (method, path) in new[] { (HttpMethod.Get, "/api/stage"), (HttpMethod.Post, "/api/stage/parts/turn/break") })
            Assert.Equal("stage_unavailable", (await guest.SendAsync(method, path)).Code);
    }

    [Fact]
    public async Task Envelope_IsOpenedForTheOwnSessionOnly()
    {
        await using var control = await ScriptedControl.StartAsync();
        using var app = new WwsfApp().With("Wwsf:Stage:TurnManagement:0", control.Address);
        var guest = await app.OpenPageAsGuestAsync();

        var opened = await guest.SendAsync(HttpMethod.Post, "/api/stage/envelope", new { relay = "127.0.0.1:50000" });
        Assert.Equal((HttpStatusCode.OK, "0a1b2c3d"), (opened.Status, opened.Text("key_print")));
        var (relayed, user) = Assert.Single(control.Opened);
        Assert.Equal("127.0.0.1:50000", relayed);
        // The pseudonym of the session, as TURN's list of allocations has it.
        Assert.Matches("^[A-Za-z0-9_-]{8,}$", user);
        var unreadable = await guest.SendAsync(HttpMethod.Post, "/api/stage/envelope", new { relay = "everybody" });
        Assert.Equal(HttpStatusCode.BadRequest, unreadable.Status);
    }

    [Fact]
    public async Task Envelope_IsOpenedByTheServerThatHasTheAllocation_AlsoWhenAnotherIsDown()
    {
        await using var control = await ScriptedControl.StartAsync();
        using var app = new WwsfApp().With("Wwsf:Stage:TurnManagement:0", $"http://127.0.0.1:{FreePorts.Tcp()}")
            .With("Wwsf:Stage:TurnManagement:1", control.Address);
        var guest = await app.OpenPageAsGuestAsync();

        var opened = await guest.SendAsync(HttpMethod.Post, "/api/stage/envelope", new { relay = "127.0.0.1:50000" });
        Assert.Equal((HttpStatusCode.OK, "0a1b2c3d"), (opened.Status, opened.Text("key_print")));
    }

    [Fact]
    public async Task Demonstrations_AreRateLimited()
    {
        using var app = new WwsfApp();
        var guest = await app.OpenPageAsGuestAsync();
        List<HttpStatusCode> answers = [];
        for (var i = 0; i < 25; i++) answers.Add((await guest.SendAsync(HttpMethod.Post, "/api/stage/cheats/none")).Status);

        Assert.Equal(HttpStatusCode.NotFound, answers[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
    }

    private static WwsfApp WithControl(ScriptedControl control) =>
        new WwsfApp().With("Wwsf:Stage:Control", control.Address).With("Wwsf:Stage:ControlKey", "the key of this run");

    private static async Task<Answer> CheatAsync(Page page, string cheat)
    {
        var answer = await page.SendAsync(HttpMethod.Post, $"/api/stage/cheats/{cheat}");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Json.ToString());
        return answer;
    }

    private static IEnumerable<(string?, int, string?)> Said(Answer answer) =>
        answer.Json.GetProperty("attempts").EnumerateArray().Select(attempt =>
            (attempt.GetProperty("kind").GetString(), attempt.GetProperty("code").GetInt32(), attempt.GetProperty("reason").GetString()));

    private static int Number(Answer answer, string member) => answer.Json.GetProperty(member).GetInt32();

    /// <summary>The application host and the TURN server's management, with one part that can be stopped once.</summary>
    private sealed class ScriptedControl(WebApplication app) : IAsyncDisposable
    {
        public string Address => app.Urls.Single();

        public List<string> Keys { get; } = [];

        public List<string> Broken { get; } = [];

        public List<(string Relayed, string User)> Opened { get; } = [];

        public static async Task<ScriptedControl> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            var control = new ScriptedControl(app);
            app.MapGet("/parts", (HttpContext context) =>
            {
                control.Keys.Add(context.Request.Headers.Authorization.ToString());
                return Results.Text("""[{"name":"turn","state":"down","restarts_in":4.5}]""", "application/json");
            });
            app.MapPost("/parts/turn/break", (HttpContext context) =>
            {
                control.Keys.Add(context.Request.Headers.Authorization.ToString());
                if (control.Broken.Count > 0) return Results.Conflict();
                control.Broken.Add("turn");
                return Results.Accepted();
            });
            app.MapGet("/opened-tokens", (string relayed, string user) =>
            {
                control.Opened.Add((relayed, user));
                return Results.Text("""{"kid":"k1","key_print":"0a1b2c3d"}""", "application/json");
            });
            await app.StartAsync(Cancel);
            return control;
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
