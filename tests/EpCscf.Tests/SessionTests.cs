using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>The endpoints with which the WWSF asks about a session, and ends it.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private const string Sid = "session-of-alice";
    private const string Body = $$"""{"sid":"{{Sid}}"}""";
    private const string NewKey = "the-next-key-that-wwsf-and-epcscf-share";

    private EpCscfApp _app = null!;
    private HttpClient _client = null!;

    public static TheoryData<string> WrongKeys =>
    [
        "", "Bearer", "Bearer ", "Bearer wrong", $"Bearer {EpCscfApp.SessionsKey}x", $"Bearer {EpCscfApp.SessionsKey[..^1]}",
        $"Bearer {EpCscfApp.SessionsKey} {EpCscfApp.SessionsKey}", $"Basic {EpCscfApp.SessionsKey}", EpCscfApp.SessionsKey,
        $"Bearer {EpCscfApp.SessionsKey}", "Bearer .", "Bearer 1.", "Bearer -1.AAAA", "Bearer 99999999999999999999.AAAA",
    ];

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(settings: ("EpCscf:SessionsKeys:1", NewKey));
        _client = new HttpClient { BaseAddress = _app.Address };
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task Session_IsRegisteredUntilTheWwsfEndsIt()
    {
        Assert.Equal("""{"registered":false,"expires_in":0}""", (await PostAsync("find")).Body);
        await using var alice = await _app.RegisterAsync("alice");
        var found = JsonElement.Parse((await PostAsync("find")).Body);
        Assert.True(found.GetProperty("registered").GetBoolean());
        Assert.InRange(found.GetProperty("expires_in").GetInt32(), 590, 600);

        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("end")).Status);
        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4403, (int?)alice.Socket.CloseStatus);
        Assert.Equal("""{"registered":false,"expires_in":0}""", (await PostAsync("find")).Body);
        using var directory = new HttpRequestMessage(HttpMethod.Get, "/directory");
        directory.Headers.Authorization = new AuthenticationHeaderValue("Bearer", alice.Token);
        using var refused = await _client.SendAsync(directory, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task EndOfASession_MayHaveTheTimeUntilWhichItIsRemembered()
    {
        string BodyWith(string until) => $$"""{"sid":"{{Sid}}","until":{{until}}}""";
        var revoked = _app.Service<RevokedSessions>();
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("end", BodyWith("true"))).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("end", BodyWith($"\"{Now.AddSeconds(-1):O}\""))).Status);
        Assert.False(await revoked.ContainsAsync(Sid));
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("end", BodyWith($"\"{Now.AddMinutes(5):O}\""))).Status);
        Assert.True(await revoked.ContainsAsync(Sid));
    }

    /// <summary>The time of a fault would be that of a billion steps. Without one it is some milliseconds.</summary>
    [Fact]
    [Requirement("SEC-41")]
    public async Task EndsOfManySessions_TakeAConstantTimeForEach()
    {
        var (sessions, tokens) = (_app.Service<RevokedSessions>(), new RevokedTokens(TimeProvider.System));
        var began = Stopwatch.GetTimestamp();
        for (var number = 0; number < 40_000; number++)
        {
            await sessions.AddAsync($"session-{number}");
            Assert.True(tokens.Add($"token:k1:{number}", DateTimeOffset.MaxValue));
        }

        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.True(await sessions.ContainsAsync("session-0"));
        Assert.False(await sessions.ContainsAsync(Sid));
    }

    [Theory]
    [MemberData(nameof(WrongKeys))]
    [Requirement("SEC-14")]
    public async Task WithoutTheKey_SessionsAreNeitherSeenNorEnded(string authorization)
    {
        await using var alice = await _app.RegisterAsync("alice");
        foreach (var action in (string[])["find", "end"])
        {
            var (status, body) = await PostAsync(action, authorization: authorization);
            Assert.Equal(HttpStatusCode.Unauthorized, status);
            Assert.DoesNotContain("registered", body);
        }

        await alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task Token_IsOfUseForAMinute_AndOnlyUnderTheKey()
    {
        await using var alice = await _app.RegisterAsync("alice");
        var token = SessionsToken.Create(EpCscfApp.SessionsKey, Now);
        foreach (var seconds in (int[])[-50, 50])
            Assert.Equal(HttpStatusCode.OK, (await PostAsync("find", authorization: Under(EpCscfApp.SessionsKey, seconds))).Status);
        foreach (var wrong in (string[])
            [
                Under(EpCscfApp.SessionsKey, -90), Under(EpCscfApp.SessionsKey, 90), Under("another-key-of-more-than-32-octets!", 0),
                $"Bearer {Now.ToUnixTimeSeconds() + 1}.{token.Split('.')[1]}", $"Bearer {token}x", $"Bearer {token}.x",
            ])
        {
            Assert.Equal((wrong, HttpStatusCode.Unauthorized), (wrong, (await PostAsync("end", authorization: wrong)).Status));
        }
        Assert.DoesNotContain(EpCscfApp.SessionsKey, token);
        await alice.AssertNothingAsync();

        static string Under(string key, int seconds) => $"Bearer {SessionsToken.Create(key, Now.AddSeconds(seconds))}";
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task BothKeys_AreAcceptedDuringARotation()
    {
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("find")).Status);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("find", authorization: $"Bearer {SessionsToken.Create(NewKey, Now)}")).Status);
    }

    [Theory]
    [InlineData("Host", "evil.invalid", HttpStatusCode.BadRequest)]
    [InlineData("Host", "localhost.evil.invalid", HttpStatusCode.BadRequest)]
    [InlineData("Host", "10.0.0.1", HttpStatusCode.BadRequest)]
    [InlineData("Origin", "http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-origin", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [Requirement("SEC-14")]
    public async Task PageWithAReboundName_GetsNothing_EvenWithTheKey(string header, string value, HttpStatusCode expected)
    {
        await using var alice = await _app.RegisterAsync("alice");
        foreach (var action in (string[])["find", "end"])
            Assert.Equal(expected, (await PostAsync(action, header: (header, value))).Status);
        await alice.AssertNothingAsync();
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("[::1]:8084")]
    [Requirement("SEC-14")]
    public async Task NameOfThisMachine_IsAccepted(string host) =>
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("find", header: ("Host", host))).Status);

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"sid\":")]
    [InlineData("{\"sid\":\"\"}")]
    [InlineData("{\"sid\":7}")]
    [InlineData("sid=session-of-alice")]
    [Requirement("SEC-14")]
    public async Task BodyWithoutASession_Is400(string body) =>
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("find", body)).Status);

    [Fact]
    [Requirement("SEC-14")]
    public async Task LongBody_Is400()
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("find", $$"""{"sid":"{{new string('x', 2000)}}"}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("find", Body, type: "text/plain")).Status);
    }

    [Theory]
    [InlineData("GET", "/sessions/session-of-alice")]
    [InlineData("DELETE", "/sessions/session-of-alice")]
    [InlineData("GET", "/sessions/find")]
    [InlineData("DELETE", "/sessions/end")]
    [Requirement("SEC-14")]
    public async Task SessionInTheUrl_IsNotFoundAnyMore(string method, string path)
    {
        await using var alice = await _app.RegisterAsync("alice");
        using var request = new HttpRequestMessage(new(method), path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", SessionsToken.Create(EpCscfApp.SessionsKey, Now));
        using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.True(answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed, $"{answer.StatusCode}");
        await alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task DevelopmentWithoutAKey_HasNoSuchEndpoints()
    {
        await using var app = new EpCscfApp().With("environment", "Development").Without("EpCscf:SessionsKeys:0").Listen();
        using var client = new HttpClient { BaseAddress = app.Address };
        foreach (var action in (string[])["find", "end"])
            Assert.Equal(HttpStatusCode.NotFound, (await PostAsync(action, client: client)).Status);
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task KeyAndSession_ReachNeitherLogsNorSpans()
    {
        await using var alice = await _app.RegisterAsync("alice");
        await PostAsync("find");
        await PostAsync("find", authorization: "Bearer a-key-that-is-wrong-but-nearly-right");
        await PostAsync("find", $$"""{"sid":"{{Sid}}""");
        await PostAsync("end");
        await _app.DisposeAsync();

        List<string> written = [.. _app.Logs.Records];
        lock (_app.Spans)
        {
            written.AddRange(_app.Spans.Select(span => $"{span.DisplayName} " +
                string.Join(' ', span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"))));
        }

        Assert.Contains(written, text => text.Contains("/sessions/find", StringComparison.Ordinal));
        Assert.DoesNotContain(written, text => text.Contains(EpCscfApp.SessionsKey, StringComparison.Ordinal)
            || text.Contains("nearly-right", StringComparison.Ordinal));
        // Spans of other tests of this process may have the names of their own sessions.
        Assert.DoesNotContain(_app.Logs.Records, text => text.Contains(Sid, StringComparison.Ordinal));
    }

    private async Task<(HttpStatusCode Status, string Body)> PostAsync(
        string action, string body = Body, string? authorization = null,
        (string Name, string Value)? header = null, string type = "application/json", HttpClient? client = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/sessions/{action}");
        request.Content = new StringContent(body, Encoding.UTF8, type);
        request.Headers.TryAddWithoutValidation(
            "Authorization", authorization ?? $"Bearer {SessionsToken.Create(EpCscfApp.SessionsKey, Now)}");
        if (header is var (name, value)) request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await (client ?? _client).SendAsync(request, TestContext.Current.CancellationToken);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
