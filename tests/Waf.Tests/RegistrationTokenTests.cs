using System.Buffers.Text;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Keys;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Tests;

/// <summary>The token request with <c>scope=ims.register</c>.</summary>
public sealed class RegistrationTokenTests
{
    private const string Identity = "waf.ims.example";

    private static readonly byte[] Key = [.. Enumerable.Range(7, 32).Select(i => (byte)i)];

    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    [Fact]
    [Requirement("RFC8898-3")]
    public async Task RegistrationTokenRequest_AnswersWithATokenThatTheEpCscfReads()
    {
        using var app = App();

        var answer = (await Request().SendAsync(app)).AssertOk();

        Assert.Equal(
            ["access_token", "expires_in", "scope", "token_type"],
            answer.Body.EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal));
        Assert.Equal("Bearer", answer.Body.GetProperty("token_type").GetString());
        Assert.Equal(300, answer.Body.GetProperty("expires_in").GetInt32());
        Assert.Equal("ims.register", answer.Body.GetProperty("scope").GetString());
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);

        var validator = new RegistrationTokenValidator([new("r1", Key)], Identity, "sip:ims.example", _time);
        Assert.Equal(RegistrationTokenStatus.Valid, validator.Validate(answer.AccessToken, out var token));
        Assert.Equal("guest-7@ims.example", token!.Impi);
        Assert.Equal<string>(["sip:guest-7@ims.example"], token.Impus);
        Assert.Equal((Identity, WafApp.Client, "9b0c6f"), (token.Waf, token.Wwsf, token.SessionId));
        Assert.Equal(_time.GetUtcNow().ToUnixTimeSeconds() + 300, token.ExpiresAt);
    }

    [Fact]
    public async Task EachToken_HasAnIdOfItsOwn_AndSeveralIdentitiesKeepTheirOrder()
    {
        using var app = App();
        var validator = new RegistrationTokenValidator([new("r1", Key)], Identity, "sip:ims.example", _time);
        var request = Request().With("impu", "sip:guest-2@ims.example sip:alice@ims.example").With("impi", "alice@ims.example");

        validator.Validate((await request.SendAsync(app)).AssertOk().AccessToken, out var first);
        validator.Validate((await request.SendAsync(app)).AssertOk().AccessToken, out var second);

        Assert.Equal<string>(["sip:guest-2@ims.example", "sip:alice@ims.example"], first!.Impus);
        Assert.NotEqual(first.TokenId, second!.TokenId);
    }

    [Theory]
    [InlineData("impu", "sip:bob@ims.example")]
    [InlineData("impu", "sip:guest-7@elsewhere.example")]
    [InlineData("impu", "sip:guest-7@ims.example sip:bob@ims.example")]
    [InlineData("impu", "sip:guest-*@ims.example")]
    [InlineData("impu", "sip:guest-7@ims.example;x=@ims.example")]
    [InlineData("impu", "tel:+4912345")]
    [InlineData("impi", "bob@ims.example")]
    [Requirement("TS22.228-H.4")]
    public async Task IdentityOutsideOfTheClientsBlock_IsInvalidScope(string name, string value)
    {
        using var app = App();
        (await Request().With(name, value).SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_scope");
    }

    [Theory]
    [InlineData("sip:guest-*-guest@ims.example", "sip:guest--guest@ims.example", true)]
    [InlineData("sip:guest-*-guest@ims.example", "sip:guest-7-guest@ims.example", true)]
    [InlineData("sip:guest-*-guest@ims.example", "sip:guest-guest@ims.example", false)]
    [InlineData("sip:aba*aba@ims.example", "sip:aba@ims.example", false)]
    [InlineData("sip:aba*aba@ims.example", "sip:ababa@ims.example", false)]
    [InlineData("sip:aba*aba@ims.example", "sip:abaaba@ims.example", true)]
    [InlineData("sip:*@ims.example", "sip:@ims.example", true)]
    [InlineData("sip:alice@ims.example", "sip:alice@ims.example", true)]
    [InlineData("sip:alice@ims.example", "sip:alice2@ims.example", false)]
    [Requirement("TS22.228-H.4")]
    public void IdentityBlock_MatchesStartAndEndWithoutOverlap(string pattern, string identity, bool contained) =>
        Assert.Equal(contained, IdentityBlock.Contains([pattern], identity));

    [Theory]
    [InlineData("impu")]
    [InlineData("impi")]
    [InlineData("sid")]
    public async Task MissingParameter_IsInvalidRequestThatNamesIt(string name)
    {
        using var app = App();
        var answer = (await Request().Without(name).SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Contains($"'{name}'", answer.Description);
    }

    [Fact]
    public async Task ClientWithoutIdentities_GetsNoRegistrationToken()
    {
        using var app = App();
        var answer = await Request().SendAsync(app, WafApp.OtherClient, WafApp.OtherSecret);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.False(answer.Body.TryGetProperty("access_token", out _));
    }

    [Fact]
    public async Task BothScopesAtOnce_AreRefused()
    {
        using var app = App();
        (await Request().With("scope", "stun ims.register").SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_scope");
    }

    [Fact]
    public async Task WithoutTheSetting_TheScopeIsUnknown()
    {
        using var app = new WafApp();
        (await Request().SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_scope");
    }

    [Fact]
    public async Task TurnTokens_AreMadeAsBefore()
    {
        using var app = App();
        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();
        Assert.Equal("pop", answer.Body.GetProperty("token_type").GetString());
        Assert.Equal("k1", answer.Kid);
    }

    [Fact]
    public async Task RegistrationToken_ReachesNeitherLogsNorSpans()
    {
        using var app = App().WithAllLogs();

        var answer = (await Request().SendAsync(app)).AssertOk();

        Assert.DoesNotContain(answer.AccessToken, string.Join('\n', app.Logs.Records));
        Assert.DoesNotContain(
            "guest-7", string.Join('\n', app.Spans.ToArray().SelectMany(span => span.TagObjects).Select(tag => $"{tag.Key}={tag.Value}")));
    }

    [Fact]
    [Requirement("RFC8414-3-1")]
    public async Task Metadata_NamesTheScope()
    {
        using var app = App();
        using var client = app.CreateClient();
        var document =
            await client.GetFromJsonAsync<JsonElement>("/.well-known/oauth-authorization-server", TestContext.Current.CancellationToken);
        Assert.Equal(
            ["ims.register", "stun"], document.GetProperty("scopes_supported").EnumerateArray().Select(scope => scope.GetString())
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public void Mistakes_AreNamedWithTheirKeys()
    {
        var turnKey = WafApp.GoodSettings()["Waf:TurnServers:0:Key"];
        var error = Assert.Throws<SettingsException>(() => Read(
            ("Waf:ImsRegistration:Domain", ""), ("Waf:ImsRegistration:Kid", "r1"), ("Waf:ImsRegistration:Key", turnKey),
            ("Waf:ImsRegistration:TokenLifetime", "soon"), ("Waf:Clients:0:Impus:0", "guest-*"),
            ("Waf:Clients:0:Impus:1", "sip:*@*.example")));

        foreach (var key in (string[])["Waf:ImsRegistration:Domain", "Waf:ImsRegistration:Identity", "Waf:ImsRegistration:Key",
            "Waf:ImsRegistration:TokenLifetime"])
            Assert.Single(error.Message.Split('\n'), line => line.StartsWith($"  {key} ", StringComparison.Ordinal));
        Assert.Equal(2, error.Message.Split('\n').Count(line => line.StartsWith("  Waf:Clients:0:Impus ", StringComparison.Ordinal)));
        Assert.DoesNotContain(turnKey, error.Message);
    }

    [Fact]
    public async Task WithoutAKey_TokensHaveTheKeysOfARing_ThatTheEpCscfGets()
    {
        using var app = App().With("Waf:ImsRegistration:Key", "");
        var first = (await Request().SendAsync(app)).AssertOk().AccessToken;
        var rings = app.Services.GetRequiredService<KeyRings>();
        var rotation = app.Services.GetRequiredService<KeyRotation>();
        await rotation.RefreshAsync(TestContext.Current.CancellationToken);
        _time.Pass(TimeSpan.FromMinutes(10) - TimeSpan.FromSeconds(1));
        var second = (await Request().SendAsync(app)).AssertOk().AccessToken;
        _time.Pass(TimeSpan.FromSeconds(1));

        Assert.Equal("r1.2", await rotation.RotateAsync("ims.example", "operator", TestContext.Current.CancellationToken));

        var third = (await Request().SendAsync(app)).AssertOk().AccessToken;
        var delivered = LongTermKeys.Parse(KeyEndpoint.Describe(rings.FindIms("ims.example")!, _time.GetUtcNow()).ToJson())!;
        Assert.Equal(["r1.1", "r1.2", "r1.3"], delivered.All.Select(key => key.Kid));
        var validator = new RegistrationTokenValidator(
            delivered.All.Select(key => new RegistrationTokenKey(key.Kid, Base64Url.DecodeFromChars(key.K))), Identity,
            "sip:ims.example", _time);
        Assert.Equal(RegistrationTokenStatus.Expired, validator.Validate(first, out _));
        Assert.Equal(RegistrationTokenStatus.Valid, validator.Validate(second, out _));
        Assert.Equal(RegistrationTokenStatus.Valid, validator.Validate(third, out _));
        Assert.Equal((true, true), (HasKey(second, "r1.1"), HasKey(third, "r1.2")));
        var own = app.Services.GetRequiredService<RegistrationTokenValidator>();
        Assert.Equal(RegistrationTokenStatus.Valid, own.Validate(second, out _));

        Assert.True(await rotation.RevokeAsync("r1.1", "operator", TestContext.Current.CancellationToken));
        Assert.Equal(RegistrationTokenStatus.UnknownKey, own.Validate(second, out _));
    }

    [Fact]
    public async Task KeyOfRegistrationTokens_ThatIsUsedUp_IssuesNoToken()
    {
        using var app = App().With("Waf:ImsRegistration:Key", "");
        (await Request().SendAsync(app)).AssertOk();
        var ring = app.Services.GetRequiredService<KeyRings>().Ims!;
        ring.Replace([], _ => throw new InvalidOperationException());
        ring.Replace(
            [new StoredKey
            {
                Ring = "ims/ims.example", Number = 1, Kid = "r1.1", Algorithm = "A256GCM", ProtectedKey = [], CreatedAt = 0, CurrentAt = 0,
                TokenLifetime = 300,
            }],
            row => new KeyMaterial(row.Kid, AccessTokenAlgorithm.A256Gcm, Key, KeyMaterial.MaxUses));

        (await Request().SendAsync(app)).AssertError(HttpStatusCode.ServiceUnavailable, "temporarily_unavailable");
    }

    [Fact]
    public void RingOfRegistrationTokens_HasItsOwnNames_AndALongEnoughRotation()
    {
        (string Key, string Value)[] ring =
            [("Waf:ImsRegistration:Domain", WafApp.TurnServer), ("Waf:ImsRegistration:Identity", Identity),
                ("Waf:ImsRegistration:KeyRotation", "00:00:01"), ("Waf:ImsRegistration:CertificateSha256", "12")];

        var error = Assert.Throws<SettingsException>(() => Read([.. ring, ("Waf:TurnServers:1:Kid", $"{WafApp.TurnServer}.4")]));

        string[] problems = ["Domain is the Name of a TURN server", "KeyRotation must be longer", "CertificateSha256 must be"];
        foreach (var problem in problems)
            Assert.Contains($"  Waf:ImsRegistration:{problem}", error.Message, StringComparison.Ordinal);
        Assert.Contains("could be that of a key of the ring of 'Waf:ImsRegistration'", error.Message, StringComparison.Ordinal);
    }

    private static bool HasKey(string token, string kid) =>
        Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token.Split('.')[0])).Contains($"\"{kid}\"", StringComparison.Ordinal);

    private static TokenRequest Request() => new TokenRequest().Without("aud").Without("alg").Without("token_type")
        .With("scope", "ims.register").With("impu", "sip:guest-7@ims.example").With("impi", "guest-7@ims.example");

    private static WafSettings Read(params (string Key, string Value)[] changes)
    {
        var settings = WafApp.GoodSettings();
        foreach (var (key, value) in changes) settings[key] = value;
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))).Build();
        return WafSettings.Read(configuration, new HostingEnvironment { ContentRootPath = "/srv/waf" });
    }

    private WafApp App() => new WafApp { Time = _time }
        .With("Waf:ImsRegistration:Domain", "ims.example")
        .With("Waf:ImsRegistration:Identity", Identity)
        .With("Waf:ImsRegistration:Kid", "r1")
        .With("Waf:ImsRegistration:Key", Convert.ToBase64String(Key))
        .With("Waf:ImsRegistration:TokenLifetime", "00:05:00")
        .With("Waf:Clients:0:Impus:0", "sip:guest-*@ims.example")
        .With("Waf:Clients:0:Impus:1", "sip:alice@ims.example");
}
