using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

public sealed class TurnTokenTests
{
    [Fact]
    public async Task Token_ComesAsRfc7635AndAsABrowserCanUseIt()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var answer = await (await GuestAsync(app)).TurnTokenAsync();

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.Equal(["uris", "kid", "key", "access_token", "expires_in", "ice_servers"], answer.Members);
        Assert.Equal("k1", answer.Text("kid"));
        Assert.Equal(ScriptedWaf.Key, answer.Text("key"));
        Assert.Equal(ScriptedWaf.AccessToken, answer.Text("access_token"));
        Assert.Equal(600, answer.Json.GetProperty("expires_in").GetInt32());
        string[] uris = ["turn:127.0.0.1:3478?transport=udp", "turns:turn.example.com"];
        Assert.Equal(uris, answer.Json.GetProperty("uris").EnumerateArray().Select(uri => uri.GetString()));

        var server = Assert.Single(answer.Json.GetProperty("ice_servers").EnumerateArray());
        Assert.Equal(uris, server.GetProperty("urls").EnumerateArray().Select(uri => uri.GetString()));
        Assert.Equal(ScriptedWaf.Key, server.GetProperty("credential").GetString());
        var userName = server.GetProperty("username").GetString()!.Split('~');
        Assert.Equal("k1", userName[0]);
        Assert.DoesNotContain('=', userName[1]);
        Assert.Equal(ScriptedWaf.AccessToken, Convert.ToBase64String(Base64Url.DecodeFromChars(userName[1])));
        Assert.Equal(1, app.Counts["wwsf.turn_tokens outcome=ok"]);
    }

    [Fact]
    public async Task Request_IsW4AndNamesTheSessionOnly()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf).With("Wwsf:TurnServerName", "turn.example.com").With("Wwsf:Waf:ClientId", "wwsf:1");
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "alice-calls-bob");
        await page.TurnTokenAsync();
        await page.TurnTokenAsync();
        var neighbour = await GuestAsync(app);
        await neighbour.TurnTokenAsync();

        var request = waf.Requests[0];
        Assert.Equal(
            ["alg", "aud", "grant_type", "guest", "scope", "sid", "timestamp", "token_type"],
            request.Form.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("client_credentials", request.Form["grant_type"]);
        Assert.Equal("stun", request.Form["scope"]);
        Assert.Equal("turn.example.com", request.Form["aud"]);
        Assert.Equal("pop", request.Form["token_type"]);
        Assert.Equal("HMAC-SHA-256-128", request.Form["alg"]);
        Assert.InRange(long.Parse(request.Form["timestamp"], null) - TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(), -30, 0);
        Assert.Equal(16, Base64Url.DecodeFromChars(request.Form["sid"]).Length);
        Assert.Equal(request.Form["sid"], waf.Requests[1].Form["sid"]);
        Assert.NotEqual(request.Form["sid"], waf.Requests[2].Form["sid"]);
        Assert.Equal(("false", "true"), (request.Form["guest"], waf.Requests[2].Form["guest"]));

        // RFC 6749 §2.3.1: form-encoded, then joined, then base64.
        var credentials = Convert.FromBase64String(request.Authorization["Basic ".Length..]);
        Assert.Equal("wwsf%3A1:s3cret%2Bof%2Fthe%20client", Encoding.UTF8.GetString(credentials));
    }

    [Fact]
    [Requirement("RFC7523-3-1")]
    public async Task SigningClient_MakesAnAssertionForEachAttempt_AndSendsNoSecret()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, key.ExportPkcs8PrivateKeyPem(), TestContext.Current.CancellationToken);
            // The first attempt fails with a status that is retried.
            await using var waf = await ScriptedWaf.StartAsync((context, number) =>
                number == 1 ? ScriptedWaf.Json(context, 503, "{}") : ScriptedWaf.Json(context, 200, ScriptedWaf.GoodAnswer));
            using var app = new WwsfApp(waf: waf).With("Wwsf:Waf:ClientSecret", "")
                .With("Wwsf:Waf:KeyFile", file).With("Wwsf:Waf:Issuer", "https://waf.example.org/");

            Assert.Equal(HttpStatusCode.OK, (await (await GuestAsync(app)).TurnTokenAsync()).Status);

            var attempts = waf.Requests.ConvertAll(request => Claims(request, key));
            Assert.Equal(2, attempts.Count);
            Assert.NotEqual(attempts[0].GetProperty("jti").GetString(), attempts[1].GetProperty("jti").GetString());
            foreach (var (request, claims) in waf.Requests.Zip(attempts))
            {
                Assert.Equal("", request.Authorization);
                Assert.Equal("stun", request.Form["scope"]);
                Assert.Equal("wwsf", request.Form["client_id"]);
                Assert.Equal("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", request.Form["client_assertion_type"]);
                Assert.Equal(
                    ("wwsf", "wwsf", "https://waf.example.org/"),
                    (claims.GetProperty("iss").GetString(), claims.GetProperty("sub").GetString(), claims.GetProperty("aud").GetString()));
                Assert.Equal(60, claims.GetProperty("exp").GetInt64() - claims.GetProperty("iat").GetInt64());
            }

            // The log has the public key, but no assertion.
            var point = key.ExportParameters(includePrivateParameters: false).Q;
            Assert.NotEmpty(app.LogsWith($"\"x\":\"{Base64Url.EncodeToString(point.X)}\""));
            Assert.All(waf.Requests, request => Assert.Empty(app.LogsWith(request.Form["client_assertion"])));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static JsonElement Claims(TokenRequest request, ECDsa key)
    {
        var parts = request.Form["client_assertion"].Split('.');
        var header = JsonElement.Parse(Base64Url.DecodeFromChars(parts[0]));
        Assert.Equal("ES256", header.GetProperty("alg").GetString());
        Assert.Equal("client-authentication+jwt", header.GetProperty("typ").GetString());
        var signed = Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}");
        Assert.True(key.VerifyData(signed, Base64Url.DecodeFromChars(parts[2]), HashAlgorithmName.SHA256));
        return JsonElement.Parse(Base64Url.DecodeFromChars(parts[1]));
    }

    [Fact]
    public async Task ServerTiming_HasTheStepsBehindTheWwsf()
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) =>
        {
            context.Response.Headers["Server-Timing"] = "other;dur=9;desc=\"step5;dur=1\", step5;dur=3.25";
            return ScriptedWaf.Json(context, 200, ScriptedWaf.GoodAnswer);
        });
        using var app = new WwsfApp(waf: waf);
        var answer = await (await GuestAsync(app)).TurnTokenAsync();

        Assert.Matches(
            """^step3;dur=[\d.]+;desc="session checked", step4;dur=[\d.]+;desc="WAF answered", step5;dur=3.25;desc="token made"$""",
            answer.Headers["Server-Timing"]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("step5")]
    [InlineData("step5;dur=fast")]
    [InlineData("step5;dur=99999999999999999999")]
    public async Task WafWithoutTiming_Step5IsLeftOut(string? header)
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) =>
        {
            if (header is not null) context.Response.Headers["Server-Timing"] = header;
            return ScriptedWaf.Json(context, 200, ScriptedWaf.GoodAnswer);
        });
        using var app = new WwsfApp(waf: waf);
        var answer = await (await GuestAsync(app)).TurnTokenAsync();

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.DoesNotContain("step5", answer.Headers["Server-Timing"]);
    }

    [Fact]
    public async Task Spans_CarryTheStepsInTheCallersTrace()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await GuestAsync(app);
        var trace = ActivityTraceId.CreateRandom();
        await page.TraceAsync("/api/turn-token", trace);

        var spans = app.SpansOf(trace);
        Assert.Equal([3, 4, 6], spans.Where(span => span.Source.Name == "WebRtcIms.Wwsf").Select(span => span.GetTagItem("ims.step")));
        var step4 = spans.Single(span => span.GetTagItem("ims.step") is 4);
        Assert.Contains(spans, span => span.Kind == ActivityKind.Client && span.ParentSpanId == step4.SpanId);
        Assert.Contains(trace.ToHexString(), Assert.Single(waf.Requests).TraceParent);
    }

    [Fact]
    public async Task SpanOfTheSessionCheck_NamesTheSessionByAHashOfItsSid()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await GuestAsync(app);
        var traces = new[] { ActivityTraceId.CreateRandom(), ActivityTraceId.CreateRandom() };
        foreach (var trace in traces) await page.TraceAsync("/api/turn-token", trace);

        var checks = traces.Select(trace => app.SpansOf(trace).Single(span => span.GetTagItem("ims.step") is 3)).ToList();
        Assert.All(checks, check => Assert.Equal("anonymous", check.GetTagItem("wwsf.session.kind")));
        var name = Assert.IsType<string>(Assert.Single(checks.Select(check => check.GetTagItem("enduser.pseudo.id")).Distinct()));
        Assert.Matches("^[0-9a-f]{24}$", name);
        Assert.DoesNotContain(waf.Requests[0].Form["sid"]!, name, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SpanOfAFailedStep_SaysWhy()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var trace = ActivityTraceId.CreateRandom();
        await page.TraceAsync("/api/turn-token", trace);

        var step3 = app.SpansOf(trace).Single(span => span.GetTagItem("ims.step") is 3);
        Assert.Equal(ActivityStatusCode.Error, step3.Status);
        Assert.Equal("not_signed_in", step3.GetTagItem("error.type"));
    }

    [Theory]
    [InlineData(401, """{"error":"invalid_client","error_description":"s3cret in here"}""", "invalid_client")]
    [InlineData(400, """{"error":"invalid_target"}""", "invalid_target")]
    [InlineData(400, """{"error":"a\nline that forges the log"}""", "unknown")]
    [InlineData(403, "<html>", "unknown")]
    [InlineData(302, "", "unknown")]
    public async Task WafRefuses_BadGatewayAndALogRecord(int status, string body, string logged)
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) =>
        {
            if (status == 302) context.Response.Headers.Location = "/elsewhere";
            return ScriptedWaf.Json(context, status, body);
        });
        using var app = new WwsfApp(waf: waf);
        var answer = await (await GuestAsync(app)).TurnTokenAsync();

        Assert.Equal(HttpStatusCode.BadGateway, answer.Status);
        Assert.Equal("waf_refused", answer.Code);
        Assert.Single(waf.Requests);
        var record = Assert.Single(app.LogsWith("Error WebRtcIms.Wwsf.Waf.WafClient"));
        Assert.Contains($"HTTP {status}, OAuth error {logged}.", record);
        Assert.DoesNotContain("s3cret", record);
        Assert.DoesNotContain("forges", record);
        Assert.Equal(1, app.Counts["wwsf.turn_tokens outcome=waf_refused"]);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"access_token":"AAAA","token_type":"Bearer","expires_in":600,"kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":0,"kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":-1,"kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":"soon","kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":600,"kid":"k~1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":600,"kid":"","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":600,"kid":"k1"}""")]
    [InlineData("""{"access_token":"!!!!","token_type":"pop","expires_in":600,"kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":600,"kid":"k1","key":"!!!!"}""")]
    [InlineData("""{"token_type":"pop","expires_in":600,"kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":600,"key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","expires_in":600,"kid":"k1","key":"AAAA"}""")]
    [InlineData("""{"access_token":"AAAA","token_type":"pop","expires_in":600,"kid":"k1","key":"AAAA","alg":"HMAC-SHA1"}""")]
    public async Task WafAnswersGarbage_BadGateway(string body)
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) => ScriptedWaf.Json(context, 200, body));
        using var app = new WwsfApp(waf: waf);
        var answer = await (await GuestAsync(app)).TurnTokenAsync();

        Assert.Equal(HttpStatusCode.BadGateway, answer.Status);
        Assert.Equal("waf_refused", answer.Code);
    }

    [Theory]
    [InlineData(506, HttpStatusCode.OK)]
    [InlineData(507, HttpStatusCode.BadGateway)]
    [Requirement("RFC8489-14.3")]
    public async Task TurnUserName_IsBounded(int userNameBytesWithoutSeparator, HttpStatusCode expected)
    {
        // 300 bytes are 400 characters. The rest is the kid and one separator.
        var token = Convert.ToBase64String(new byte[300]);
        var kid = new string('k', userNameBytesWithoutSeparator + 1 - 400);
        await using var waf = await ScriptedWaf.StartAsync((context, _) => ScriptedWaf.Json(context, 200,
            $$"""{"access_token":"{{token}}","token_type":"pop","expires_in":600,"kid":"{{kid}}","key":"AAAA"}"""));
        using var app = new WwsfApp(waf: waf);

        Assert.Equal(expected, (await (await GuestAsync(app)).TurnTokenAsync()).Status);
    }

    [Fact]
    public async Task WafFailsOnce_TheRequestIsRetried()
    {
        await using var waf = await ScriptedWaf.StartAsync((context, number) => number == 1
            ? ScriptedWaf.Json(context, 500, "{}")
            : ScriptedWaf.Json(context, 200, ScriptedWaf.GoodAnswer));
        using var app = new WwsfApp(waf: waf);

        Assert.Equal(HttpStatusCode.OK, (await (await GuestAsync(app)).TurnTokenAsync()).Status);
        Assert.Equal(2, waf.Requests.Count);
    }

    [Fact]
    public async Task WafFailsAlways_UnavailableAfterThreeAttempts()
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) => ScriptedWaf.Json(context, 500, "{}"));
        using var app = new WwsfApp(waf: waf);

        AssertUnavailable(await (await GuestAsync(app)).TurnTokenAsync(), retryAfter: "2");
        Assert.Equal(3, waf.Requests.Count);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(429)]
    public async Task WafSendsRetryAfter_ThePageGetsItWithoutARetry(int status)
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) =>
        {
            context.Response.Headers.RetryAfter = "7";
            return ScriptedWaf.Json(context, status, "{}");
        });
        using var app = new WwsfApp(waf: waf);

        AssertUnavailable(await (await GuestAsync(app)).TurnTokenAsync(), retryAfter: "7");
        Assert.Single(waf.Requests);
    }

    [Fact]
    public async Task WafDown_UnavailableAtOnceAndBackWhenItIs()
    {
        var port = UnusedPort();
        using var app = new WwsfApp().With("services:waf:http:0", $"http://127.0.0.1:{port}");
        var page = await GuestAsync(app);
        AssertUnavailable(await page.TurnTokenAsync(), retryAfter: "2");

        // The attempts were refused; the time limit did not end them.
        Assert.Single(app.LogsWith("did not answer the TURN token request: ConnectionError"));
        Assert.Equal(1, app.Counts["wwsf.turn_tokens outcome=waf_unavailable"]);

        await using var waf = await ScriptedWaf.StartAsync(port: port);
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
    }

    [Theory]
    [InlineData("no answer", 4.9)]
    [InlineData("no answer", 5)]
    [InlineData("no end", 5)]
    public async Task WafHangs_AnswerWithinFiveSeconds(string how, double seconds)
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var waf = await ScriptedWaf.StartAsync(async (context, _) =>
        {
            if (how == "no end")
            {
                context.Response.ContentLength = 1000;
                await context.Response.WriteAsync("{");
                await context.Response.Body.FlushAsync();
            }
            time.Advance(TimeSpan.FromSeconds(seconds));
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        });
        using var app = new WwsfApp(waf: waf) { Time = time };
        var page = await GuestAsync(app);
        var answer = await page.TurnTokenAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        AssertUnavailable(answer, retryAfter: "2");

        Assert.Single(app.LogsWith("no complete response in time"));
        Assert.Single(waf.Requests);
    }

    [Fact]
    public async Task WafAnswersWithoutEnd_Unavailable()
    {
        await using var waf = await ScriptedWaf.StartAsync((context, _) => ScriptedWaf.Json(context, 200, new string(' ', 100_000)));
        using var app = new WwsfApp(waf: waf);

        AssertUnavailable(await (await GuestAsync(app)).TurnTokenAsync(), retryAfter: "2");
    }

    private static async Task<Page> GuestAsync(WwsfApp app)
    {
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();
        return page;
    }

    private static void AssertUnavailable(Answer answer, string retryAfter)
    {
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
        Assert.Equal("waf_unavailable", answer.Code);
        Assert.Equal(retryAfter, answer.Headers["Retry-After"]);
    }

    private static int UnusedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
