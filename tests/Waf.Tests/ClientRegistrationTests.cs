using System.Buffers.Text;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Stores;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>Registration of clients (RFC 7591).</summary>
public sealed class ClientRegistrationTests
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Theory]
    [InlineData("client_secret_basic")]
    [InlineData("client_secret_post")]
    [InlineData(null)]
    [Requirement("RFC7591-3.2.1-1")]
    [Requirement("TS33.203-X.5.3.2-a")]
    public async Task ClientWithASecret_IsRegistered_AndGetsATokenWithIt(string? method)
    {
        using var app = new WafApp { Time = _time }.WithRegistration();
        var metadata = new JsonObject { ["client_name"] = "A WWSF", ["software_id"] = "ignored", ["jwks"] = null };
        if (method is not null) metadata["token_endpoint_auth_method"] = method;

        var client = (await RegisterAsync(app, metadata)).Assert(HttpStatusCode.Created);

        Assert.Equal(method ?? "client_secret_basic", client.Text("token_endpoint_auth_method"));
        Assert.Equal("A WWSF", client.Text("client_name"));
        Assert.Equal(["client_credentials"], client.Texts("grant_types"));
        Assert.Equal("stun", client.Text("scope"));
        Assert.Equal([WafApp.TurnServer], client.Texts("audiences"));
        Assert.Equal(0, client.Body.GetProperty("client_secret_expires_at").GetInt64());
        Assert.Equal(_time.GetUtcNow().ToUnixTimeSeconds(), client.Body.GetProperty("client_id_issued_at").GetInt64());
        Assert.Equal($"https://waf.example.org/oauth2/register/{client.ClientId}", client.Text("registration_client_uri"));
        Assert.False(client.Has("software_id"));
        Assert.Equal(47, client.Secret.Length);
        var answer = method == "client_secret_post"
            ? await new TokenRequest().PostAsync(app, client.ClientId, client.Secret)
            : await new TokenRequest().SendAsync(app, client.ClientId, client.Secret);
        WafApp.Decrypt(answer.AssertOk().Kid, answer.AccessToken, WafApp.TurnServer);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret + "x"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("RFC7591-2-1")]
    [Requirement("ABUSE-90")]
    public async Task ClientThatSigns_IsRegisteredWithItsKeys_AndGetsATokenWithAnAssertion()
    {
        using var app = new WafApp { Time = _time }.WithRegistration();

        var client = (await RegisterAsync(app, Signer())).Assert(HttpStatusCode.Created);

        Assert.False(client.Has("client_secret"));
        Assert.False(client.Has("client_secret_expires_at"));
        Assert.Equal(
            JsonElement.Parse(SignedAssertion.PublicKeys).GetProperty("keys")[0].GetProperty("x").GetString(),
            client.Body.GetProperty("jwks").GetProperty("keys")[0].GetProperty("x").GetString());
        var assertion = Assertion(client.ClientId);
        (await AskAsync(app, assertion)).AssertOk();
        (await AskAsync(app, assertion)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await AskAsync(app, Assertion("nobody"))).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    public static TheoryData<string, string> InvalidMetadata => new()
    {
        { "token_endpoint_auth_method", "\"none\"" },
        { "token_endpoint_auth_method", "\"tls_client_auth\"" },
        { "token_endpoint_auth_method", "7" },
        { "grant_types", "[\"authorization_code\"]" },
        { "grant_types", "[\"client_credentials\",\"refresh_token\"]" },
        { "grant_types", "\"client_credentials\"" },
        { "jwks_uri", "\"https://elsewhere.example/jwks\"" },
        { "jwks", "{\"keys\":[]}" },
        { "scope", "\"ims.register\"" },
        { "scope", "\"stun openid\"" },
        { "scope", "\"\"" },
        { "scope", "\"\\ud800\"" },
        { "audiences", "[\"turn2.example.org\"]" },
        { "audiences", "[]" },
        { "audiences", "[7]" },
        { "impus", "[\"sip:guest-1@ims.example\"]" },
        { "client_name", "\"a\\u0000b\"" },
        { "client_name", "[]" },
    };

    [Theory]
    [MemberData(nameof(InvalidMetadata))]
    [Requirement("RFC7591-3.2.2-1")]
    [Requirement("RFC8705-2.1-1")]
    public async Task InvalidMetadata_IsRefusedWithTheNameOfTheField_AndCostsNoUse(string field, string json)
    {
        using var app = new WafApp().WithRegistration(uses: 1);

        var answer = await SendAsync(app, HttpMethod.Post, Endpoint, FirstToken, JsonText($"{{\"{field}\":{json}}}"));

        Assert.Equal("invalid_client_metadata", answer.Assert(HttpStatusCode.BadRequest).Text("error"));
        Assert.StartsWith($"{field} ", answer.Text("error_description"));
        (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
    }

    public static TheoryData<string> InvalidKeys => new()
    {
        "null", "7", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}",
        SignedAssertion.PublicKeys.Replace("\"x\"", "\"d\":\"AAAA\",\"x\"", StringComparison.Ordinal),
        $$"""{"keys":[{{Rsa(3072)[..^1]}},"d":"AQAB"}]}""",
        $$"""{"keys":[{{Rsa(3072)[..^1]}},"use":"enc"}]}""",
        $$"""{"keys":[{{string.Join(',', Enumerable.Repeat(Rsa(3072), 11))}}]}""",
        $$"""{"keys":[{{Rsa(1024)}}]}""",
        $$"""{"keys":[{{Rsa(2048)}}]}""",
        $$"""{"keys":[{{Rsa(3064)}}]}""",
        $$"""{"keys":[{{Rsa(3072)}},{{Rsa(2048)}}]}""",
    };

    private static string Rsa(int bits) =>
        $$"""{"kty":"RSA","n":"{{Base64Url.EncodeToString(Enumerable.Repeat((byte)0xC3, bits / 8).ToArray())}}","e":"AQAB"}""";

    [Fact]
    public async Task RsaKeysOf3072Bits_AreRegistered()
    {
        using var app = new WafApp().WithRegistration();

        (await SendAsync(app, HttpMethod.Post, Endpoint, FirstToken,
            JsonText($$$"""{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{{{Rsa(3072)}}}]}}""")))
            .Assert(HttpStatusCode.Created);
    }

    [Theory]
    [MemberData(nameof(InvalidKeys))]
    [Requirement("RFC7591-2-1")]
    public async Task OnlyPublicKeys_AreRegistered(string jwks)
    {
        using var app = new WafApp().WithRegistration();

        var answer = await SendAsync(app, HttpMethod.Post, Endpoint, FirstToken,
            JsonText($$"""{"token_endpoint_auth_method":"private_key_jwt","jwks":{{jwks}}}"""));

        Assert.Equal("invalid_client_metadata", answer.Assert(HttpStatusCode.BadRequest).Text("error"));
        Assert.StartsWith("jwks ", answer.Text("error_description"));
    }

    [Fact]
    public async Task WithoutAnIssuer_ClientsCannotSign()
    {
        using var app = new WafApp().WithInitialAccessToken();

        var answer = (await RegisterAsync(app, Signer())).Assert(HttpStatusCode.BadRequest);

        Assert.StartsWith("token_endpoint_auth_method ", answer.Text("error_description"));
        // The address is then that of the request.
        Assert.StartsWith("http://localhost/oauth2/register/",
            (await RegisterAsync(app)).Assert(HttpStatusCode.Created).Text("registration_client_uri"));
    }

    [Theory]
    [InlineData("application/json", "[]", HttpStatusCode.BadRequest)]
    [InlineData("application/json", "{", HttpStatusCode.BadRequest)]
    [InlineData("application/json", "{\"scope\":\"stun\",\"scope\":\"stun\"}", HttpStatusCode.BadRequest)]
    [InlineData("application/json", "{\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", HttpStatusCode.BadRequest)]
    [InlineData("application/x-www-form-urlencoded", "scope=stun", HttpStatusCode.UnsupportedMediaType)]
    [Requirement("RFC7591-3.2.2-1")]
    public async Task OtherBodies_AreRefused(string type, string body, HttpStatusCode status)
    {
        using var app = new WafApp().WithRegistration();

        var answer = await SendAsync(app, HttpMethod.Post, Endpoint, FirstToken, new StringContent(body, Encoding.UTF8, type));

        Assert.Equal("invalid_client_metadata", answer.Assert(status).Text("error"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LongBodies_AreRefused_WithAndWithoutALength(bool chunked)
    {
        using var app = new WafApp().WithRegistration().Listen();
        HttpContent Body(int length)
        {
            var content = JsonText($"{{\"software_id\":\"{new string('x', length - 18)}\"}}");
            return chunked ? new StreamContent(new Unseekable(content.ReadAsStream()))
            {
                Headers = { ContentType = content.Headers.ContentType },
            } : content;
        }

        (await SendAsync(app, HttpMethod.Post, Endpoint, FirstToken, Body(65536))).Assert(HttpStatusCode.Created);
        (await SendAsync(app, HttpMethod.Post, Endpoint, FirstToken, Body(65537))).Assert(HttpStatusCode.RequestEntityTooLarge);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("another token of 43 characters -----------")]
    [Requirement("RFC7591-3-1")]
    public async Task WithoutAnInitialAccessToken_NothingIsRegistered(string? token)
    {
        using var app = new WafApp().WithRegistration();

        (await RegisterAsync(app, token: token)).AssertInvalidToken();

        Assert.Equal(2, await CountClientsAsync(app));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC7591-3-1")]
    public async Task Uses_AreExact_AlsoAtTheSameTime_AndAreNotRefilledByARestart(bool isPostgres)
    {
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        using var first = new WafApp();
        var store = postgres?.ConnectionString("waf") ?? $"Data Source={first.StoreDirectory}/waf.db";
        first.WithRegistration(uses: 7).With("ConnectionStrings:waf", store);

        _ = first.Services;
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => RegisterAsync(first))));

        Assert.Equal(7, answers.Count(answer => answer.Status == HttpStatusCode.Created));
        Assert.All(answers, answer => Assert.True(
            answer.Status is HttpStatusCode.Created or HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests, $"{answer.Status}"));
        Assert.Equal(2 + 7, await CountClientsAsync(first));
        Assert.Equal(7, (await AuditAsync(first)).Count);
        using var second = new WafApp().WithRegistration(uses: 7).With("ConnectionStrings:waf", store);
        (await RegisterAsync(second)).AssertInvalidToken();
        // Its clients are still there.
        var client = answers.First(answer => answer.Status == HttpStatusCode.Created);
        (await new TokenRequest().SendAsync(second, client.ClientId, client.Secret)).AssertOk();
    }

    [Fact]
    [Requirement("RFC7591-3-1")]
    public async Task InitialAccessToken_Expires_AlsoAcrossARestart()
    {
        using var app = new WafApp { Time = _time }.WithRegistration().With("Waf:InitialAccessTokens:0:Lifetime", "01:00:00");
        (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
        _time.Advance(TimeSpan.FromSeconds(3599));
        (await RegisterAsync(app)).Assert(HttpStatusCode.Created);

        _time.Advance(TimeSpan.FromSeconds(1));

        (await RegisterAsync(app)).AssertInvalidToken();
        using var restarted = new WafApp { Time = _time }.WithRegistration()
            .With("ConnectionStrings:waf", $"Data Source={app.StoreDirectory}/waf.db");
        (await RegisterAsync(restarted)).AssertInvalidToken();
    }

    [Fact]
    public async Task NewTokenOfTheSameName_EndsTheOldOne_AndItsClientsStay()
    {
        const string next = "another initial access token of this name";
        using var app = new WafApp().WithRegistration();
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);

        using var restarted = new WafApp().WithRegistration().With("Waf:InitialAccessTokens:0:Token", next)
            .With("ConnectionStrings:waf", $"Data Source={app.StoreDirectory}/waf.db");

        (await RegisterAsync(restarted, token: next)).Assert(HttpStatusCode.Created);
        (await RegisterAsync(restarted)).AssertInvalidToken();
        (await new TokenRequest().SendAsync(restarted, client.ClientId, client.Secret)).AssertOk();
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task GuessesOfInitialAccessTokens_429UntilTheMinuteIsOver()
    {
        using var app = new WafApp { Time = _time }.WithRegistration();
        for (var i = 0; i < FailedAuthentications.PerMinute; i++)
            (await RegisterAsync(app, token: $"a guess of an initial access token, {i}")).AssertInvalidToken();

        var answer = (await RegisterAsync(app)).Assert(HttpStatusCode.TooManyRequests);

        Assert.Equal("60", answer.Headers["Retry-After"]);
        _time.Advance(TimeSpan.FromMinutes(1));
        (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
    }

    /// <summary>RFC 7591 §2: <c>token_endpoint_auth_method</c> is the method of the client, and not only a wish.</summary>
    [Theory]
    [InlineData("client_secret_basic")]
    [InlineData("client_secret_post")]
    [Requirement("RFC7591-2-2")]
    [Requirement("ABUSE-85")]
    public async Task OtherMethodThanTheRegisteredOne_IsRefused_AsAWrongSecret_AtEachEndpoint(string method)
    {
        await using var redis = await RedisServer.StartAsync();
        var hashes = new HashCount();
        using var app = new WafApp().WithRegistration().With("ConnectionStrings:redis", redis.Address).WithServices(hashes.AddTo);
        var client = await RegisterAsync(app, new JsonObject { ["token_endpoint_auth_method"] = method });
        var (id, secret, isBasic) = (client.ClientId, client.Secret, method == "client_secret_basic");
        (string, string)[] form = [("client_id", id), ("client_secret", secret), ("token", "AAAA")];
        Func<Task<TokenAnswer>>[] basic =
        [
            () => new TokenRequest().SendAsync(app, id, secret), () => TokenRequest.RevokeAsync(app, id, secret, ("token", "AAAA")),
            () => TokenRequest.IntrospectAsync(app, id, secret, ("token", "AAAA")),
        ];
        // The GET of TS 33.203 has the secret among the parameters, as the form has.
        Func<Task<TokenAnswer>>[] post =
        [
            () => new TokenRequest().PostAsync(app, id, secret), () => new TokenRequest().GetAsync(app, id, secret),
            () => TokenRequest.RevokeAsync(app, form), () => TokenRequest.IntrospectAsync(app, form),
        ];

        foreach (var ask in isBasic ? basic : post) (await ask()).AssertOk();
        var wrong = (await new TokenRequest().SendAsync(app, "nobody", "not-the-secret-of-it")).Body.ToString();
        foreach (var ask in isBasic ? post : basic)
        {
            hashes.Count = 0;
            Assert.Equal(wrong, (await ask()).AssertError(HttpStatusCode.Unauthorized, "invalid_client").Body.ToString());
            Assert.Equal(1, hashes.Count);
        }
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task FailuresOfARegisteredClient_CostWhatThoseOfAnUnknownOneCost()
    {
        var hashes = new HashCount();
        using var app = new WafApp().WithRegistration().WithServices(hashes.AddTo);
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
        hashes.Count = 0;
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
        Assert.Equal(0, hashes.Count);

        foreach (var name in (string[])[client.ClientId, "nobody"])
        {
            hashes.Count = 0;
            (await new TokenRequest().SendAsync(app, name, "not-the-secret-of-it"))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
            Assert.Equal(1, hashes.Count);
            (await ReadAsync(app, name, "not-the-token-of-it")).AssertInvalidToken();
            Assert.Equal(2, hashes.Count);
        }
    }

    [Fact]
    [Requirement("RFC9700-2.3-2")]
    public async Task Limits_OfTheInitialAccessToken_HoldForTheTokensOfItsClients()
    {
        using var app = new WafApp { Time = _time }.WithRegistration()
            .With("Waf:InitialAccessTokens:0:MaxTokenLifetime", "00:00:45")
            .With("Waf:InitialAccessTokens:0:RequestsPerMinute", "2");
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);

        var answer = (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
        Assert.Equal(45, answer.Body.GetProperty("expires_in").GetInt32());
        Assert.Equal(45u, WafApp.Decrypt(answer.Kid, answer.AccessToken, WafApp.TurnServer).LifetimeSeconds);
        (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.BadRequest, "invalid_target");
        (await new TokenRequest().With("scope", "ims.register").SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.BadRequest, "invalid_scope");

        var late = (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret))
            .AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
        Assert.Equal("60", late.Headers["Retry-After"]);
        // Another client has its own count, and the next minute a new one.
        (await new TokenRequest().SendAsync(app)).AssertOk();
        _time.Advance(TimeSpan.FromMinutes(1));
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
    }

    [Fact]
    public async Task Identities_AreThoseThatTheClientRegistered_WithinThoseOfTheInitialAccessToken()
    {
        using var app = new WafApp { Time = _time }.WithRegistration()
            .With("Waf:InitialAccessTokens:0:Impus:0", "sip:guest-*@ims.example")
            .With("Waf:InitialAccessTokens:0:MaxTokenLifetime", "00:01:00")
            .With("Waf:ImsRegistration:Domain", "ims.example")
            .With("Waf:ImsRegistration:Identity", "waf.ims.example")
            .With("Waf:ImsRegistration:Kid", "r1")
            .With("Waf:ImsRegistration:Key", Convert.ToBase64String(new byte[32]));
        foreach (var impu in (string[])["sip:*@ims.example", "sip:alice@ims.example", "sip:guest-*", "sip:guest-**@ims.example"])
        {
            var refused = (await RegisterAsync(app, new JsonObject { ["impus"] = new JsonArray(impu) })).Assert(HttpStatusCode.BadRequest);
            Assert.StartsWith("impus ", refused.Text("error_description"));
        }

        var client = (await RegisterAsync(app, new JsonObject { ["impus"] = new JsonArray("sip:guest-a*@ims.example") }))
            .Assert(HttpStatusCode.Created);

        Assert.Equal("stun ims.register", client.Text("scope"));
        var request = new TokenRequest().With("scope", "ims.register").Without("aud").Without("token_type").Without("alg");
        var answer = await request.With("impu", "sip:guest-a7@ims.example").With("impi", "guest-a7@ims.example")
            .SendAsync(app, client.ClientId, client.Secret);
        Assert.Equal(60, answer.AssertOk().Body.GetProperty("expires_in").GetInt32());
        (await request.With("impu", "sip:guest-b7@ims.example").With("impi", "guest-b7@ims.example")
            .SendAsync(app, client.ClientId, client.Secret)).AssertError(HttpStatusCode.BadRequest, "invalid_scope");
    }

    /// <summary>The eP-CSCF knows the WWSF by a name that stays, whatever client id it got.</summary>
    [Fact]
    [Requirement("TS24.229-7.13")]
    public async Task RegistrationTokens_NameTheWwsfOfTheInitialAccessToken_AndTheClient()
    {
        var key = new byte[32];
        using var app = new WafApp { Time = _time }.WithRegistration()
            .With("Waf:InitialAccessTokens:0:Impus:0", "sip:guest-*@ims.example")
            .With("Waf:InitialAccessTokens:0:Wwsf", "wwsf.example")
            .With("Waf:ImsRegistration:Domain", "ims.example")
            .With("Waf:ImsRegistration:Identity", "waf.ims.example")
            .With("Waf:ImsRegistration:Kid", "r1")
            .With("Waf:ImsRegistration:Key", Convert.ToBase64String(key));
        var validator = new RegistrationTokenValidator([new("r1", key)], "waf.ims.example", "sip:ims.example", _time);
        // A client does not choose the name.
        var client = (await RegisterAsync(app, new JsonObject { ["wwsf"] = "another.example" })).Assert(HttpStatusCode.Created);
        var updated = (await UpdateAsync(app, client.ClientId, client.AccessToken, new JsonObject { ["wwsf"] = "another.example" }))
            .Assert(HttpStatusCode.OK);
        Assert.False(updated.Has("wwsf"));

        var answer = await new TokenRequest().With("scope", "ims.register").Without("aud").Without("token_type").Without("alg")
            .With("impu", "sip:guest-7@ims.example").With("impi", "guest-7@ims.example").SendAsync(app, client.ClientId, client.Secret);

        validator.Validate(answer.AssertOk().AccessToken, out var token);
        Assert.Equal(("wwsf.example", client.ClientId), (token!.Wwsf, token.ClientId));
    }

    [Fact]
    [Requirement("RFC8414-2-1")]
    public async Task Metadata_NamesTheEndpoint_WhereRegistrationIsPossible()
    {
        using var app = new WafApp().WithRegistration();
        using var plain = new WafApp();

        var document = await SendAsync(app, HttpMethod.Get, "/.well-known/oauth-authorization-server", token: null);
        Assert.Equal("https://waf.example.org/oauth2/register", document.Text("registration_endpoint"));
        Assert.Contains("private_key_jwt", document.Texts("token_endpoint_auth_methods_supported"));
        document = await SendAsync(plain, HttpMethod.Get, "/.well-known/oauth-authorization-server", token: null);
        Assert.False(document.Has("registration_endpoint"));
        Assert.DoesNotContain("private_key_jwt", document.Texts("token_endpoint_auth_methods_supported"));
        (await RegisterAsync(plain)).AssertInvalidToken();
    }

    private static JsonObject Signer() => new()
    {
        ["token_endpoint_auth_method"] = "private_key_jwt",
        ["jwks"] = JsonNode.Parse(SignedAssertion.PublicKeys),
    };

    private string Assertion(string clientId) => SignedAssertion.Sign(new Dictionary<string, object>
    {
        ["iss"] = clientId,
        ["sub"] = clientId,
        ["aud"] = "https://waf.example.org/",
        ["jti"] = Guid.NewGuid().ToString(),
        ["iat"] = _time.GetUtcNow().ToUnixTimeSeconds(),
        ["exp"] = _time.GetUtcNow().ToUnixTimeSeconds() + 60,
    });

    private static Task<TokenAnswer> AskAsync(WafApp app, string assertion) =>
        new TokenRequest().And("client_assertion_type", SignedAssertion.Type).And("client_assertion", assertion).PostAsStrangerAsync(app);

    private static StringContent JsonText(string json) => new(json, Encoding.UTF8, "application/json");

    private static async Task<int> CountClientsAsync(WafApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WafDatabase>()
            .Set<OpenIddict.EntityFrameworkCore.Models.OpenIddictEntityFrameworkCoreApplication>()
            .CountAsync(TestContext.Current.CancellationToken);
    }

    private static async Task<List<AuditEntry>> AuditAsync(WafApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit.ToListAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>A body without a known length is sent in chunks.</summary>
    private sealed class Unseekable(Stream content) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => content.Read(buffer, offset, count);

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
