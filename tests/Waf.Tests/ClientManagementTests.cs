using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Stores;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>Registered clients read, change and delete their registration (RFC 7592).</summary>
public sealed class ClientManagementTests
{
    [Fact]
    [Requirement("RFC7592-2.1-1")]
    public async Task Read_AnswersWhatIsRegistered_WithoutTheSecret()
    {
        using var app = new WafApp().WithRegistration();
        var client = (await RegisterAsync(app, new JsonObject { ["client_name"] = "A WWSF" })).Assert(HttpStatusCode.Created);

        var answer = (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);

        Assert.False(answer.Has("client_secret"));
        foreach (var field in client.Body.EnumerateObject().Where(field => field.Name != "client_secret"))
            Assert.Equal(field.Value.GetRawText(), answer.Body.GetProperty(field.Name).GetRawText());
    }

    [Fact]
    [Requirement("RFC7592-2-1")]
    [Requirement("ABUSE-85")]
    public async Task UnknownClientAndWrongToken_OneAnswer_ForEachMethod()
    {
        using var app = new WafApp().WithRegistration();
        var (client, other) = (await RegisterAsync(app), await RegisterAsync(app));
        RegistrationAnswer[] answers =
        [
            await ReadAsync(app, client.ClientId, other.AccessToken),
            await ReadAsync(app, client.ClientId, FirstToken),
            await ReadAsync(app, client.ClientId, token: null),
            await ReadAsync(app, "nobody", client.AccessToken),
            await ReadAsync(app, WafApp.Client, client.AccessToken),
            await ReadAsync(app, new string('x', 200), client.AccessToken),
            await UpdateAsync(app, client.ClientId, other.AccessToken),
            await UpdateAsync(app, "nobody", client.AccessToken),
            await DeleteAsync(app, client.ClientId, other.AccessToken),
            await DeleteAsync(app, "nobody", client.AccessToken),
        ];

        foreach (var answer in answers)
        {
            answer.AssertInvalidToken();
            Assert.Equal(answers[0].Body.GetRawText(), answer.Body.GetRawText());
            Assert.Equal(answers[0].Headers.Keys.Order(), answer.Headers.Keys.Order());
        }

        (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task GuessesOfARegistrationAccessToken_429_AndAreCountedWithThoseOfTheSecret()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WafApp { Time = time }.WithRegistration();
        var client = await RegisterAsync(app);
        for (var i = 0; i < FailedAuthentications.PerMinute; i++)
            (await ReadAsync(app, client.ClientId, $"a guess, number {i}")).AssertInvalidToken();

        (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.TooManyRequests);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
        app.RemoteAddress = IPAddress.Parse("198.51.100.9");
        (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);
    }

    [Fact]
    [Requirement("RFC7592-2.2-1")]
    public async Task Update_RotatesTheToken_AndKeepsTheSecret()
    {
        using var app = new WafApp().WithRegistration();
        var client = await RegisterAsync(app, new JsonObject { ["client_name"] = "before" });

        var updated = (await UpdateAsync(app, client.ClientId, client.AccessToken, new JsonObject
        {
            ["client_name"] = "after",
            ["client_secret"] = client.Secret,
        })).Assert(HttpStatusCode.OK);

        Assert.Equal("after", updated.Text("client_name"));
        Assert.NotEqual(client.AccessToken, updated.AccessToken);
        Assert.False(updated.Has("client_secret"));
        (await ReadAsync(app, client.ClientId, client.AccessToken)).AssertInvalidToken();
        Assert.Equal("after", (await ReadAsync(app, client.ClientId, updated.AccessToken)).Assert(HttpStatusCode.OK).Text("client_name"));
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
    }

    [Fact]
    [Requirement("RFC7592-2.2-1")]
    [Requirement("RFC9700-2.5-5")]
    public async Task Update_FromSecretToKeysAndBack_EndsTheOldSecret()
    {
        using var app = new WafApp().WithRegistration();
        var client = await RegisterAsync(app);

        var signs = (await UpdateAsync(app, client.ClientId, client.AccessToken, new JsonObject
        {
            ["token_endpoint_auth_method"] = "private_key_jwt",
            ["jwks"] = JsonNode.Parse(SignedAssertion.PublicKeys),
        })).Assert(HttpStatusCode.OK);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        var back = (await UpdateAsync(app, client.ClientId, signs.AccessToken)).Assert(HttpStatusCode.OK);

        Assert.False(back.Has("jwks"));
        Assert.NotEqual(client.Secret, back.Secret);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await new TokenRequest().SendAsync(app, client.ClientId, back.Secret)).AssertOk();
    }

    [Fact]
    [Requirement("RFC9700-2.3-2")]
    public async Task Update_CannotExceedTheInitialAccessToken_AlsoAfterANarrowerOne()
    {
        using var app = new WafApp().WithRegistration().With("Waf:InitialAccessTokens:0:Audiences:1", WafApp.SecondTurnServer);
        var client = await RegisterAsync(app);
        var narrow = (await UpdateAsync(app, client.ClientId, client.AccessToken, Audiences(WafApp.SecondTurnServer)))
            .Assert(HttpStatusCode.OK);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertError(HttpStatusCode.BadRequest, "invalid_target");

        var refused = (await UpdateAsync(app, client.ClientId, narrow.AccessToken, Audiences("turn3.example.org")))
            .Assert(HttpStatusCode.BadRequest);
        Assert.StartsWith("audiences ", refused.Text("error_description"));

        // A refused update leaves the token as it is.
        (await UpdateAsync(app, client.ClientId, narrow.AccessToken, Audiences(WafApp.TurnServer))).Assert(HttpStatusCode.OK);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
    }

    public static TheoryData<string, string> FieldsOfTheServer => new()
    {
        { "client_id", "\"another\"" }, { "client_id", "null" }, { "client_secret", "\"a secret of its own choice\"" },
        { "registration_access_token", "\"x\"" }, { "registration_client_uri", "\"x\"" }, { "client_secret_expires_at", "0" },
        { "client_id_issued_at", "0" },
    };

    [Theory]
    [MemberData(nameof(FieldsOfTheServer))]
    [Requirement("RFC7592-2.2-2")]
    public async Task Update_CannotSetFieldsOfTheServer(string field, string json)
    {
        using var app = new WafApp().WithRegistration();
        var client = await RegisterAsync(app);

        var answer = (await UpdateAsync(app, client.ClientId, client.AccessToken, new JsonObject { [field] = JsonNode.Parse(json) }))
            .Assert(HttpStatusCode.BadRequest);

        Assert.Equal("invalid_client_metadata", answer.Text("error"));
        Assert.StartsWith($"{field} ", answer.Text("error_description"));
        (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC7592-2.2-1")]
    public async Task UpdatesAtTheSameTime_OneWins_AndItsTokenIsTheValidOne(bool isPostgres)
    {
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        using var app = new WafApp().WithRegistration();
        if (postgres is not null) app.With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        var client = await RegisterAsync(app);

        var answers = await Task.WhenAll(Enumerable.Range(0, 5)
            .Select(_ => Task.Run(() => UpdateAsync(app, client.ClientId, client.AccessToken))));

        var winner = Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.All(answers.Except([winner]), answer => answer.AssertInvalidToken());
        (await ReadAsync(app, client.ClientId, winner.AccessToken)).Assert(HttpStatusCode.OK);
    }

    /// <summary>PostgreSQL's strategy repeats a change. The repetition is not a conflict with the change itself.</summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [Requirement("RFC7591-3-1")]
    [Requirement("RFC7592-2.2-1")]
    [Requirement("RFC7592-2.3-1")]
    public async Task ConnectionLostAtTheCommit_TheChangeIsMadeOnce_AndAnswered(int before, int after)
    {
        await using var postgres = await PostgresServer.StartAsync();
        var lost = new LostCommits();
        using var app = new WafApp().WithRegistration(uses: 2).WithServices(lost.AddTo)
            .With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        var other = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);

        (lost.Before, lost.After) = (before, after);
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
        (await RegisterAsync(app)).AssertInvalidToken();

        (lost.Before, lost.After) = (before, after);
        var updated = (await UpdateAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);
        Assert.NotEqual(client.AccessToken, updated.AccessToken);
        (await ReadAsync(app, client.ClientId, client.AccessToken)).AssertInvalidToken();
        (await ReadAsync(app, client.ClientId, updated.AccessToken)).Assert(HttpStatusCode.OK);

        (lost.Before, lost.After) = (before, after);
        (await DeleteAsync(app, client.ClientId, updated.AccessToken)).Assert(HttpStatusCode.NoContent);
        (await ReadAsync(app, client.ClientId, updated.AccessToken)).AssertInvalidToken();
        (await ReadAsync(app, other.ClientId, other.AccessToken)).Assert(HttpStatusCode.OK);
        Assert.Equal((0, 0), (lost.Before, lost.After));

        await using var scope = app.Services.CreateAsyncScope();
        var audit = await scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit
            .Where(entry => entry.Subject == client.ClientId).OrderBy(entry => entry.Id).Select(entry => entry.Action)
            .ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["client.registered", "client.updated", "client.deleted"], audit);
    }

    /// <summary>One revocation is enough: it also covers tokens that are made while the client is deleted.</summary>
    [Fact]
    [Requirement("RFC7592-2.3-1")]
    public async Task Delete_RevokesTokensThatAreMadeMeanwhile()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var redis = await RedisServer.StartAsync();
        using var connection = await redis.ConnectAsync();
        using var app = new WafApp { Time = time }.WithRegistration().With("ConnectionStrings:redis", redis.Address);
        var client = await RegisterAsync(app);

        (await DeleteAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.NoContent);

        // TURN servers and introspection compare the time of a token with this time less the longest lifetime.
        var until = await connection.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, TurnRevocations.OfClient(client.ClientId));
        var coversUntil = DateTimeOffset.FromUnixTimeSeconds((long)until!.Value) - TokenLimits.LongestLifetime;
        Assert.InRange(coversUntil - time.GetUtcNow(), TimeSpan.FromSeconds(59), TimeSpan.FromSeconds(60));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC7592-2.3-1")]
    public async Task Delete_RevokesTheTokens_AndEndsTheClient(bool isPostgres)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        using var connection = await redis.ConnectAsync();
        using var app = new WafApp().WithRegistration().With("ConnectionStrings:redis", redis.Address);
        if (postgres is not null) app.With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        var client = await RegisterAsync(app);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();

        Assert.Equal(default, (await DeleteAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.NoContent).Body);

        Assert.NotNull(await connection.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, TurnRevocations.OfClient(client.ClientId)));
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await ReadAsync(app, client.ClientId, client.AccessToken)).AssertInvalidToken();
        (await DeleteAsync(app, client.ClientId, client.AccessToken)).AssertInvalidToken();
    }

    [Fact]
    [Requirement("RFC7592-2.3-1")]
    public async Task Delete_WhileRedisIsDown_503_AndTheClientStays()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().WithRegistration().With("ConnectionStrings:redis", redis.Address);
        var client = await RegisterAsync(app);
        await redis.StopAsync();

        var answer = (await DeleteAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.ServiceUnavailable);

        Assert.Equal("2", answer.Headers["Retry-After"]);
        Assert.Equal("temporarily_unavailable", answer.Text("error"));
        (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
    }

    [Fact]
    public async Task Audit_HasWhoChangedWhat_AndOnlyChangesThatHappened()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WafApp { Time = time }.WithRegistration();
        var client = await RegisterAsync(app);
        (await RegisterAsync(app, new JsonObject { ["scope"] = "no" })).Assert(HttpStatusCode.BadRequest);
        (await UpdateAsync(app, client.ClientId, "not the token")).AssertInvalidToken();
        var updated = await UpdateAsync(app, client.ClientId, client.AccessToken);
        (await DeleteAsync(app, client.ClientId, updated.AccessToken)).Assert(HttpStatusCode.NoContent);

        await using var scope = app.Services.CreateAsyncScope();
        var audit = await scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit.OrderBy(entry => entry.Id)
            .ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            [(TokenName, "client.registered"), (client.ClientId, "client.updated"), (client.ClientId, "client.deleted")],
            audit.Select(entry => (entry.Actor, entry.Action)));
        Assert.All(audit, entry =>
            Assert.Equal((client.ClientId, "127.0.0.1", time.GetUtcNow().ToUnixTimeSeconds()), (entry.Subject, entry.Address, entry.At)));
        foreach (var text in (string[])
            [$"client.registered {client.ClientId} by {TokenName} from 127.0.0.1",
             $"client.updated {client.ClientId} by {client.ClientId} from 127.0.0.1",
             $"client.deleted {client.ClientId} by {client.ClientId} from 127.0.0.1"])
            Assert.Single(app.Logs.Records, record => record.StartsWith("Information ", StringComparison.Ordinal)
                && record.Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("ABUSE-87")]
    public async Task Secrets_AreNeitherInTheLogsNorInTheStore()
    {
        using var app = new WafApp().WithAllLogs().WithRegistration();
        var client = await RegisterAsync(app);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
        (await new TokenRequest().PostAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        const string guess = "a guess of a token in a log";
        (await ReadAsync(app, client.ClientId, guess)).AssertInvalidToken();
        (await RegisterAsync(app, token: guess)).AssertInvalidToken();
        var updated = await UpdateAsync(app, client.ClientId, client.AccessToken, new JsonObject { ["client_secret"] = client.Secret });
        (await UpdateAsync(app, client.ClientId, updated.AccessToken, new JsonObject { ["client_secret"] = guess }))
            .Assert(HttpStatusCode.BadRequest);

        List<string> written = [.. app.Logs.Records];
        Assert.Contains(written, text => text.Contains("INSERT INTO \"Audit\"", StringComparison.Ordinal));
        written.AddRange(Directory.GetFiles(app.StoreDirectory).Select(ReadShared));
        Assert.Contains(written, text => text.Contains("hmac-sha256:", StringComparison.Ordinal));
        lock (app.Spans)
        {
            written.AddRange(app.Spans.SelectMany(span => span.TagObjects)
                .Select(tag => Convert.ToString(tag.Value, CultureInfo.InvariantCulture)!));
        }

        foreach (var secret in ((string[])[client.Secret, client.AccessToken, updated.AccessToken, FirstToken, guess])
            .SelectMany(Secret.Spellings))
        {
            var leak = written.Find(text => text.Contains(secret, StringComparison.OrdinalIgnoreCase));
            Assert.True(leak is null, $"'{secret}' is in: {leak}");
        }
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task Registration_CountsTowardsTheRequestsOfAnAddress()
    {
        using var app = new WafApp().WithRegistration().With("Waf:TokenRequestsPerMinute", "2");
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
        (await ReadAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.OK);

        var answer = await ReadAsync(app, client.ClientId, client.AccessToken);

        Assert.Equal(HttpStatusCode.TooManyRequests, answer.Status);
    }

    private static JsonObject Audiences(string audience) => new() { ["audiences"] = new JsonArray(audience) };

    private static string ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return Encoding.Latin1.GetString(copy.ToArray());
    }
}
