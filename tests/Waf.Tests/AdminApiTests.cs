using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>What operators can do at the administration port.</summary>
public sealed class AdminApiTests : IAsyncLifetime
{
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IDatabase Database => _connection!.GetDatabase();

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Clients_AreListed_WithoutSecrets()
    {
        using var admin = new Administration(App().WithRegistration());
        var registered = (await RegisterAsync(admin.App, new JsonObject { ["client_name"] = "Our WWSF" })).Assert(HttpStatusCode.Created);

        var list = (await admin.GetAsync("clients")).Assert(HttpStatusCode.OK).Body;

        Assert.Equal(
            new HashSet<string> { WafApp.Client, WafApp.OtherClient, registered.ClientId },
            list.EnumerateArray().Select(client => client.GetProperty("client_id").GetString()!).ToHashSet());
        var client = (await admin.GetAsync($"clients/{registered.ClientId}")).Assert(HttpStatusCode.OK);
        Assert.Equal(("Our WWSF", "registration", TokenName, "client_secret_basic"),
            (client.Text("name"), client.Text("source"), client.Text("initial_access_token"), client.Text("authentication_method")));
        Assert.Equal([WafApp.TurnServer], client.Body.GetProperty("limits")
            .GetProperty("audiences").EnumerateArray().Select(text => text.GetString()!));
        Assert.Equal("settings", (await admin.GetAsync($"clients/{WafApp.Client}")).Text("source"));
        foreach (var secret in (string[])[registered.Secret, registered.AccessToken, WafApp.ClientSecret, "hmac-sha256"])
            Assert.DoesNotContain(secret, list.GetRawText() + client.Body.GetRawText(), StringComparison.Ordinal);
        (await admin.GetAsync("clients/nobody")).Assert(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Clients_AreListedInPages()
    {
        using var admin = new Administration(App());
        List<string> found = [];
        for (var offset = 0; offset < 3; offset++)
        {
            var page = (await admin.GetAsync($"clients?limit=1&offset={offset}")).Assert(HttpStatusCode.OK).Body.EnumerateArray();
            found.AddRange(page.Select(client => client.GetProperty("client_id").GetString()!));
        }

        Assert.Equal([WafApp.OtherClient, WafApp.Client], found.Order(StringComparer.Ordinal));
        foreach (var query in (string[])["limit=0", "limit=1001", "offset=-1", "limit=many"])
            Assert.Equal((query, HttpStatusCode.BadRequest), (query, (await admin.GetAsync($"clients?{query}")).Status));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task DeletedClient_GetsNoTokens_AndItsTokensAreRevoked()
    {
        using var admin = new Administration(App().WithRegistration());
        var client = (await RegisterAsync(admin.App)).Assert(HttpStatusCode.Created);
        (await new TokenRequest().SendAsync(admin.App, client.ClientId, client.Secret)).AssertOk();

        (await admin.DeleteAsync($"clients/{client.ClientId}")).Assert(HttpStatusCode.NoContent);

        (await new TokenRequest().SendAsync(admin.App, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await ReadAsync(admin.App, client.ClientId, client.AccessToken)).AssertInvalidToken();
        Assert.NotNull(await Database.SortedSetScoreAsync(TurnRevocations.Key, TurnRevocations.OfClient(client.ClientId)));
        Assert.Equal([("operator", client.ClientId)], await admin.AuditAsync("client.deleted"));
        (await admin.DeleteAsync($"clients/{client.ClientId}")).Assert(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task ClientOfTheSettings_IsNotDeleted_BecauseItWouldComeBack()
    {
        using var admin = new Administration(App());
        (await admin.DeleteAsync($"clients/{WafApp.Client}")).Assert(HttpStatusCode.Conflict);
        (await new TokenRequest().SendAsync(admin.App)).AssertOk();
    }

    [Fact]
    public async Task RedisAway_DeletesAndRevokesNothing()
    {
        using var admin = new Administration(App().WithRegistration());
        var client = (await RegisterAsync(admin.App)).Assert(HttpStatusCode.Created);
        await _redis!.StopAsync();

        (await admin.DeleteAsync($"clients/{client.ClientId}")).Assert(HttpStatusCode.ServiceUnavailable);
        (await admin.PostAsync("revocations", new { all = true })).Assert(HttpStatusCode.ServiceUnavailable);

        (await new TokenRequest().SendAsync(admin.App, client.ClientId, client.Secret)).AssertOk();
        (await admin.AuditAsync("token.issued")).Clear();
        Assert.Empty(await admin.AuditAsync("all.revoked", count: 0));
        Assert.Empty(await admin.AuditAsync("client.deleted", count: 0));
    }

    [Fact]
    public async Task WithoutRedis_ARegisteredClientIsDeleted_AndRevocationIsAConflict()
    {
        using var admin = new Administration(new WafApp().WithRegistration());
        var client = (await RegisterAsync(admin.App)).Assert(HttpStatusCode.Created);

        (await admin.DeleteAsync($"clients/{client.ClientId}")).Assert(HttpStatusCode.NoContent);
        (await admin.PostAsync("revocations", new { all = true })).Assert(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task NewInitialAccessToken_RegistersAsOftenAsItsUses_AndIsShownOnce()
    {
        using var admin = new Administration(App());
        var created = (await admin.PostAsync("initial-access-tokens", new
        {
            name = "branch",
            uses = 1,
            lifetime = "02:00:00",
            impus = (string[])["sip:guest-*@example.org"],
            max_token_lifetime = "00:01:00",
            requests_per_minute = 5,
        })).Assert(HttpStatusCode.Created);
        var token = created.Text("token");

        var client = (await RegisterAsync(admin.App, token: token)).Assert(HttpStatusCode.Created);
        (await RegisterAsync(admin.App, token: token)).AssertInvalidToken();
        Assert.Equal([WafApp.TurnServer, WafApp.SecondTurnServer], client.Texts("audiences"));
        Assert.Equal(60, (await new TokenRequest().SendAsync(admin.App, client.ClientId, client.Secret)).AssertOk().Body
            .GetProperty("expires_in").GetInt32());

        var list = (await admin.GetAsync("initial-access-tokens")).Assert(HttpStatusCode.OK).Body;
        var listed = Assert.Single(list.EnumerateArray());
        Assert.Equal(("branch", 0), (listed.GetProperty("name").GetString(), listed.GetProperty("uses_left").GetInt32()));
        Assert.Equal(
            TimeSpan.FromHours(2), listed.GetProperty("expires_at").GetDateTimeOffset()
                - listed.GetProperty("created_at").GetDateTimeOffset());
        Assert.DoesNotContain(token, list.GetRawText() + admin.App.Logs.Text, StringComparison.Ordinal);
        Assert.Equal([("operator", "branch")], await admin.AuditAsync("initial_access_token.created"));
        Assert.Equal([("branch", client.ClientId)], await admin.AuditAsync("client.registered"));
    }

    [Fact]
    public async Task RevokedInitialAccessToken_RegistersNothing_AndItsClientsStay()
    {
        using var admin = new Administration(App());
        var token = (await admin.PostAsync("initial-access-tokens", new { name = "branch", uses = 5 }))
            .Assert(HttpStatusCode.Created).Text("token");
        var client = (await RegisterAsync(admin.App, token: token)).Assert(HttpStatusCode.Created);
        var conflict = (await admin.PostAsync("initial-access-tokens", new { name = "branch" })).Assert(HttpStatusCode.Conflict);
        Assert.Contains("branch", conflict.Detail, StringComparison.Ordinal);

        (await admin.DeleteAsync("initial-access-tokens/branch")).Assert(HttpStatusCode.NoContent);

        (await RegisterAsync(admin.App, token: token)).AssertInvalidToken();
        (await new TokenRequest().SendAsync(admin.App, client.ClientId, client.Secret)).AssertOk();
        (await admin.DeleteAsync("initial-access-tokens/branch")).Assert(HttpStatusCode.NotFound);
        (await admin.DeleteAsync("initial-access-tokens/other")).Assert(HttpStatusCode.NotFound);
        Assert.Equal([("operator", "branch")], await admin.AuditAsync("initial_access_token.revoked"));
        (await admin.PostAsync("initial-access-tokens", new { name = "branch" })).Assert(HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("""{"uses":0}""", "Uses")]
    [InlineData("""{"lifetime":"00:00:00"}""", "Lifetime")]
    [InlineData("""{"lifetime":"9999.00:00:00"}""", "Lifetime")]
    [InlineData("""{"audiences":["nowhere"]}""", "Audiences")]
    [InlineData("""{"impus":["alice"]}""", "Impus")]
    [InlineData("""{"scopes":["openid"]}""", "Scopes")]
    [InlineData("""{"name":""}""", "Name")]
    [InlineData("""{"name":"a\u0000"}""", "Name")]
    [InlineData("""{"max_token_lifetime":"00:00:01"}""", "MaxTokenLifetime")]
    [InlineData("""{"use":1}""", null)]
    [InlineData("""{"uses":"many"}""", null)]
    [InlineData("[]", null)]
    public async Task WrongInitialAccessToken_IsNamed_AndCreatesNothing(string body, string? field)
    {
        using var admin = new Administration(App());

        var answer = (await admin.SendAsync(HttpMethod.Post, "initial-access-tokens", Json(JsonNode.Parse(body)!)))
            .Assert(HttpStatusCode.BadRequest);

        if (field is not null) Assert.StartsWith(field, answer.Detail, StringComparison.Ordinal);
        Assert.Equal(0, (await admin.GetAsync("initial-access-tokens")).Body.GetArrayLength());
    }

    [Theory]
    [InlineData("""{"client_id":"wwsf"}""", "client:wwsf", "client.revoked", "wwsf", 86400)]
    [InlineData("""{"session":"9b0c6f"}""", "session:9b0c6f", "session.revoked", "9b0c6f", 86400)]
    [InlineData("""{"kid":"k9"}""", "key:k9", "key.revoked", "k9", 30 * 86400)]
    [InlineData("""{"kid":"k1","token_id":"AAAA"}""", "token:k1:AAAA", "token.revoked", "k1:AAAA", 86400)]
    [InlineData("""{"all":true}""", "all", "all.revoked", "all", 86400)]
    [Requirement("ABUSE-49")]
    public async Task Revocation_IsToldToAllNodes_AndIsInTheAudit(string body, string name, string action, string subject, int seconds)
    {
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
        using var admin = new Administration(App(time));
        var told = new TaskCompletionSource<string>();
        await _connection!.GetSubscriber().SubscribeAsync(TurnRevocations.Channel, (_, message) => told.TrySetResult(message!));

        (await admin.SendAsync(HttpMethod.Post, "revocations", Json(JsonNode.Parse(body)!))).Assert(HttpStatusCode.NoContent);

        Assert.Equal($"{1_800_000_000 + seconds} {name}", await told.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel));
        Assert.Equal(1_800_000_000 + seconds, await Database.SortedSetScoreAsync(TurnRevocations.Key, name));
        Assert.Equal([("operator", subject)], await admin.AuditAsync(action));
        lock (admin.App.Counts) Assert.Equal(1, admin.App.Counts[$"waf.revocations kind={name.Split(':')[0]}"]);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task TokenItself_CanBeRevoked_AndIsNotWritten()
    {
        using var admin = new Administration(App());
        var token = (await new TokenRequest().SendAsync(admin.App)).AssertOk().AccessToken;

        (await admin.PostAsync("revocations", new { token })).Assert(HttpStatusCode.NoContent);

        Assert.Equal((await admin.AuditAsync("token.issued")).Select(row => row.Subject),
            (await admin.AuditAsync("token.revoked")).Select(row => row.Subject));
        Assert.False((await TokenRequest.IntrospectAsync(admin.App, WafApp.Client, WafApp.ClientSecret, ("token", token))).AssertOk()
            .Body.GetProperty("active").GetBoolean());
        Assert.DoesNotContain(token, admin.App.Logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RevokedSession_ItsTokensAreNotActive_AndThoseOfOthersAre()
    {
        using var admin = new Administration(App());
        var token = (await new TokenRequest().SendAsync(admin.App)).AssertOk().AccessToken;
        var other = (await new TokenRequest().With("sid", "another").SendAsync(admin.App)).AssertOk().AccessToken;

        (await admin.PostAsync("revocations", new { session = "9b0c6f" })).Assert(HttpStatusCode.NoContent);

        Assert.False(await IsActiveAsync(admin.App, token));
        Assert.True(await IsActiveAsync(admin.App, other));
        Assert.False(await IsActiveAsync(admin.App, (await new TokenRequest().SendAsync(admin.App)).AssertOk().AccessToken));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"all":false}""")]
    [InlineData("""{"all":true,"kid":"k1"}""")]
    [InlineData("""{"client_id":"wwsf","session":"9b0c6f"}""")]
    [InlineData("""{"token_id":"AAAA"}""")]
    [InlineData("""{"token_id":"AAAA","all":true}""")]
    [InlineData("""{"token":"not a token"}""")]
    [InlineData("""{"kid":""}""")]
    [InlineData("""{"kid":"k1","token_id":""}""")]
    [InlineData("""{"client_id":"a\u0000"}""")]
    [InlineData("""{"sesion":"9b0c6f"}""")]
    public async Task WrongRevocation_RevokesNothing(string body)
    {
        using var admin = new Administration(App());

        (await admin.SendAsync(HttpMethod.Post, "revocations", Json(JsonNode.Parse(body)!))).Assert(HttpStatusCode.BadRequest);

        Assert.Equal(0, await Database.SortedSetLengthAsync(TurnRevocations.Key));
    }

    [Fact]
    public async Task Audit_IsReadInPages_NewestFirst_AndFiltered()
    {
        using var admin = new Administration(App());
        for (var i = 0; i < 5; i++) (await admin.PostAsync("initial-access-tokens", new { name = $"t{i}" })).Assert(HttpStatusCode.Created);

        List<string> found = [];
        var next = "";
        for (var page = 0; page < 3; page++)
        {
            var answer = (await admin.GetAsync($"audit?limit=2{next}")).Assert(HttpStatusCode.OK).Body;
            found.AddRange(answer.GetProperty("entries").EnumerateArray().Select(row => row.GetProperty("subject").GetString()!));
            next = answer.GetProperty("next").ValueKind == JsonValueKind.Null ? "" : $"&before={answer.GetProperty("next")}";
            Assert.Equal(page == 2, next.Length == 0);
        }

        Assert.Equal(["t4", "t3", "t2", "t1", "t0"], found);
        Assert.Equal(["t3"], await SubjectsAsync(admin, "subject=t3"));
        Assert.Equal(["t4"], await SubjectsAsync(admin, "actor=operator&limit=1"));
        Assert.Empty(await SubjectsAsync(admin, "actor=oper"));
        Assert.Empty(await SubjectsAsync(admin, "action=client.deleted"));
        foreach (var query in (string[])["limit=0", "limit=1001", "before=x", "actor=%00"])
            Assert.Equal((query, HttpStatusCode.BadRequest), (query, (await admin.GetAsync($"audit?{query}")).Status));
    }

    private static async Task<List<string>> SubjectsAsync(Administration admin, string query) =>
        [.. (await admin.GetAsync($"audit?{query}")).Assert(HttpStatusCode.OK).Body.GetProperty("entries").EnumerateArray()
            .Select(row => row.GetProperty("subject").GetString()!)];

    private static async Task<bool> IsActiveAsync(WafApp app, string token) =>
        (await TokenRequest.IntrospectAsync(app, WafApp.Client, WafApp.ClientSecret, ("token", token))).AssertOk()
            .Body.GetProperty("active").GetBoolean();

    private WafApp App(FakeTimeProvider? time = null) => new WafApp { Time = time }.With("ConnectionStrings:redis", _redis!.Address);
}
