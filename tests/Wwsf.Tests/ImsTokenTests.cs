using System.Diagnostics;
using System.Net;
using System.Text;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The registration token in scenario 2 and 3, and the problems.</summary>
public sealed class ImsTokenTests
{
    [Fact]
    [Requirement("TS33203-X.3")]
    public async Task User_GetsATokenForTheIdentityOfTheSubscription()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "alice-calls-bob");
        var answer = await page.ImsTokenAsync();

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.Equal(
            ["access_token", "expires_in", "impu", "impi", "display_name", "sip_uri", "realm", "websocket_path"],
            answer.Members);
        Assert.Equal(ScriptedWaf.RegistrationToken, answer.Text("access_token"));
        Assert.Equal(600, answer.Json.GetProperty("expires_in").GetInt32());
        Assert.Equal("sip:alice@webrtcims.local", answer.Text("impu"));
        Assert.Equal("alice@webrtcims.local", answer.Text("impi"));
        Assert.Equal("Alice", answer.Text("display_name"));
        Assert.Equal("sip:webrtcims.local", answer.Text("sip_uri"));
        Assert.Equal("webrtcims.local", answer.Text("realm"));
        Assert.Equal("/sip", answer.Text("websocket_path"));
        Assert.Equal("sip:alice@webrtcims.local", (await page.LoadAsync()).Text("impu"));
        Assert.Equal(1, app.Counts["wwsf.ims_tokens outcome=ok"]);
    }

    [Fact]
    [Requirement("TS33203-X.4")]
    public async Task Guest_GetsATokenForAnIdentityOfThePool()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf).With("Wwsf:HomeDomain", "ims.example.com").With("Wwsf:Pool:Size", "1");
        var page = await app.OpenPageAsGuestAsync();
        Assert.Null((await page.LoadAsync()).Text("impu"));
        var answer = await page.ImsTokenAsync();

        Assert.Equal("sip:guest-1@ims.example.com", answer.Text("impu"));
        Assert.Equal("guest-1@ims.example.com", answer.Text("impi"));
        Assert.Equal("Guest 1", answer.Text("display_name"));
        Assert.Equal("sip:ims.example.com", answer.Text("sip_uri"));
        Assert.Equal("ims.example.com", answer.Text("realm"));
        Assert.Equal("sip:guest-1@ims.example.com", (await page.LoadAsync()).Text("impu"));
    }

    [Fact]
    public async Task Request_IsW4WithTheIdentityAndTheSessionsPseudonym()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsync();
        await page.LogInAsync("bob", "bob-calls-alice");
        await page.ImsTokenAsync();
        await page.TurnTokenAsync();

        var request = waf.Requests[0];
        Assert.Equal(["grant_type", "impi", "impu", "scope", "sid"], request.Form.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("client_credentials", request.Form["grant_type"]);
        Assert.Equal("ims.register", request.Form["scope"]);
        Assert.Equal("sip:bob@webrtcims.local", request.Form["impu"]);
        Assert.Equal("bob@webrtcims.local", request.Form["impi"]);
        Assert.Equal(waf.Requests[1].Form["sid"], request.Form["sid"]);
        var credentials = Encoding.UTF8.GetString(Convert.FromBase64String(request.Authorization["Basic ".Length..]));
        Assert.Equal($"wwsf:{Uri.EscapeDataString(WwsfApp.ClientSecret)}", credentials);
    }

    [Fact]
    public async Task UserWithoutSubscription_GetsAProblem()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        await app.AddUserAsync("carol", "carol-calls-nobody");
        var page = await app.OpenPageAsync();
        await page.LogInAsync("carol", "carol-calls-nobody");
        var answer = await page.ImsTokenAsync();

        Assert.Equal(HttpStatusCode.Forbidden, answer.Status);
        Assert.Equal("no_subscription", answer.Code);
        Assert.Contains("has no phone identity", answer.Text("detail"));
        Assert.Empty(waf.Requests);
        Assert.Equal(1, app.Counts["wwsf.ims_tokens outcome=no_subscription"]);
    }

    [Fact]
    public async Task NoSession_NotSignedIn()
    {
        using var app = new WwsfApp();
        var answer = await (await app.OpenPageAsync()).ImsTokenAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
        Assert.Equal("not_signed_in", answer.Code);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task WithoutAntiforgeryToken_Refused()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsGuestAsync();
        page.AntiforgeryToken = "";

        Assert.Equal("antiforgery", (await page.ImsTokenAsync()).Code);
        Assert.Empty(waf.Requests);
    }

    [Fact]
    [Requirement("ABUSE-91")]
    public async Task Tokens_RateLimitedBySession()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf).With("Wwsf:Limits:ImsTokensPerMinute", "2");
        var (page, neighbour) = (await app.OpenPageAsGuestAsync(), await app.OpenPageAsGuestAsync());
        Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
        var answer = await page.ImsTokenAsync();

        Assert.Equal("rate_limited", answer.Code);
        Assert.NotEmpty(answer.Headers["Retry-After"]);
        Assert.Equal(HttpStatusCode.OK, (await neighbour.ImsTokenAsync()).Status);
    }

    [Theory]
    [InlineData(400, """{"error":"invalid_scope"}""", "waf_refused", "invalid_scope")]
    [InlineData(401, """{"error":"invalid_client"}""", "waf_refused", "invalid_client")]
    [InlineData(200, """{"access_token":"a b","token_type":"Bearer","expires_in":600}""", "waf_refused", "access_token is not")]
    [InlineData(200, """{"access_token":"abc","token_type":"pop","expires_in":600}""", "waf_refused", "token_type is not Bearer")]
    [InlineData(200, """{"access_token":"abc","token_type":"Bearer","expires_in":0}""", "waf_refused", "expires_in is not positive")]
    [InlineData(200, """{"access_token":"abc","token_type":"Bearer","expires_in":600,"scope":"stun"}""", "waf_refused", "scope is not")]
    [InlineData(503, "{}", "waf_unavailable", "HTTP 503")]
    public async Task WafDoesNotGiveAToken_ThePageGetsAProblemAndTheLogARecord(int status, string body, string code, string logged)
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) => ScriptedWaf.Json(context, status, body));
        using var app = new WwsfApp(waf: waf);
        var answer = await (await app.OpenPageAsGuestAsync()).ImsTokenAsync();

        Assert.Equal(code == "waf_refused" ? HttpStatusCode.BadGateway : HttpStatusCode.ServiceUnavailable, answer.Status);
        Assert.Equal(code, answer.Code);
        Assert.NotEmpty(answer.Text("detail")!);
        Assert.Contains(app.LogsWith("the registration token request"), record => record.Contains(logged, StringComparison.Ordinal));
        Assert.Equal(1, app.Counts[$"wwsf.ims_tokens outcome={code}"]);
    }

    [Fact]
    public async Task Spans_BelongToThePagesTraceAndAreNoStepsOfTheTurnFigure()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsGuestAsync();
        var trace = ActivityTraceId.CreateRandom();
        await page.TraceAsync("/api/ims-token", trace);

        var spans = app.SpansOf(trace).Where(span => span.Source.Name == "WebRtcIms.Wwsf").ToList();
        Assert.Equal(["check session", "request registration token"], spans.Select(span => span.DisplayName));
        Assert.All(spans, span => Assert.Null(span.GetTagItem("ims.step")));
        Assert.Contains(trace.ToHexString(), Assert.Single(waf.Requests).TraceParent);
    }
}
