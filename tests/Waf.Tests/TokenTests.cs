using System.Net;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

public sealed class TokenTests
{
    // In whole 1/64000 s, so that the token can say it exactly.
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 21, 0, 0, 500, TimeSpan.Zero);

    [Fact]
    [Requirement("RFC7635-6.2-1")]
    [Requirement("RFC7635-B-1")]
    public async Task TokenRequest_AnswersWithATokenThatTheTurnServerReads()
    {
        using var app = new WafApp { Time = new FakeTimeProvider(Now) };

        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal(
            ["access_token", "alg", "expires_in", "key", "kid", "token_type"],
            answer.Body.EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal));
        Assert.Equal("pop", answer.Body.GetProperty("token_type").GetString());
        Assert.Equal(600, answer.Body.GetProperty("expires_in").GetInt32());
        Assert.Equal("k1", answer.Kid);
        Assert.Equal("HMAC-SHA-256-128", answer.Body.GetProperty("alg").GetString());
        Assert.StartsWith("application/json", answer.Headers["Content-Type"]);

        var token = WafApp.Decrypt(answer.Kid, answer.AccessToken, WafApp.TurnServer);
        Assert.Equal(Convert.FromBase64String(answer.Key), token.MacKey);
        Assert.Equal(600u, token.LifetimeSeconds);
        Assert.Equal(Now, token.Timestamp.ToDateTimeOffset());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9_983_999)]
    [InlineData(9_984_000)]
    [InlineData(9_999_999)]
    [Requirement("RFC7635-6.2-3")]
    public async Task TokenMadeAtAnyFractionOfASecond_HasThatTimestamp(int ticks)
    {
        var now = Now.AddTicks(ticks - (Now.Ticks % TimeSpan.TicksPerSecond));
        using var app = new WafApp { Time = new FakeTimeProvider(now) };

        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();

        var age = now - WafApp.Decrypt(answer.Kid, answer.AccessToken, WafApp.TurnServer).Timestamp.ToDateTimeOffset();
        Assert.InRange(age.Ticks, 0, TimeSpan.TicksPerSecond / 64000);
    }

    [Theory]
    [InlineData("1", 1u)]
    [InlineData("599", 599u)]
    [InlineData("600", 600u)]
    [InlineData("86400", 600u)]
    public async Task LifetimeThatIsAskedFor_CanOnlyBeShorter(string wanted, uint granted)
    {
        using var app = new WafApp { Time = new FakeTimeProvider(Now) };

        var answer = (await new TokenRequest().With("lifetime", wanted).SendAsync(app)).AssertOk();

        Assert.Equal(granted, answer.Body.GetProperty("expires_in").GetUInt32());
        Assert.Equal(granted, WafApp.Decrypt(answer.Kid, answer.AccessToken, WafApp.TurnServer).LifetimeSeconds);
    }

    [Fact]
    [Requirement("RFC6749-5.1-1")]
    public async Task TokenResponse_MustNotBeStored()
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.Equal("no-cache", answer.Headers["Pragma"]);
    }

    [Theory]
    [InlineData("HMAC-SHA1", 20)]
    [InlineData("HMAC-SHA-256-128", 32)]
    [Requirement("RFC7635-B-2")]
    public async Task Algorithm_DecidesTheLengthOfTheKey(string algorithm, int octets)
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().With("alg", algorithm).SendAsync(app)).AssertOk();

        Assert.Equal(algorithm, answer.Body.GetProperty("alg").GetString());
        Assert.Equal(octets, Convert.FromBase64String(answer.Key).Length);
        Assert.Equal(octets, WafApp.Decrypt("k1", answer.AccessToken, WafApp.TurnServer).MacKey.Length);
    }

    [Fact]
    [Requirement("RFC7635-10-1")]
    public async Task Audience_DecidesKeyAlgorithmAndLifetime()
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(app)).AssertOk();

        Assert.Equal("k2", answer.Kid);
        Assert.Equal(90, answer.Body.GetProperty("expires_in").GetInt32());
        Assert.Equal(90u, WafApp.Decrypt("k2", answer.AccessToken, WafApp.SecondTurnServer).LifetimeSeconds);
    }

    [Fact]
    [Requirement("RFC7635-6.2-2")]
    [Requirement("ABUSE-37")]
    public async Task TokenForOneServer_IsVoidUnderAnotherName()
    {
        using var app = new WafApp();
        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();
        var key = WafApp.KeyRing().Find("k1"u8, DateTimeOffset.UnixEpoch)!;

        var status = key.TryDecrypt(Convert.FromBase64String(answer.AccessToken), "turn2.example.org"u8, out var _);

        Assert.Equal(AccessTokenStatus.NotAuthentic, status);
    }

    [Fact]
    [Requirement("RFC5116-3.1-1")]
    public async Task Tokens_NeverShareANonceOrAKey()
    {
        using var app = new WafApp();

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => new TokenRequest().SendAsync(app)));

        Assert.Equal(40, answers.Select(answer => answer.AssertOk().Key).Distinct().Count());
        Assert.Equal(40, answers.Select(answer => Nonce(answer.AccessToken)).Distinct().Count());
    }

    [Fact]
    public async Task OptionalParametersLeftOut_TheStrongerAlgorithm()
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().Without("alg").Without("token_type").Without("sid").SendAsync(app)).AssertOk();

        Assert.Equal("HMAC-SHA-256-128", answer.Body.GetProperty("alg").GetString());
        Assert.Equal(32, Convert.FromBase64String(answer.Key).Length);
    }

    [Theory]
    [InlineData("alg", "HMAC-MD5", "invalid_request")]
    [InlineData("alg", "", "invalid_request")]
    [InlineData("scope", "openid", "invalid_scope")]
    [InlineData("scope", "stun openid", "invalid_scope")]
    [InlineData("scope", "", "invalid_scope")]
    [InlineData("grant_type", "password", "unsupported_grant_type")]
    [InlineData("grant_type", "implicit", "unsupported_grant_type")]
    [InlineData("token_type", "bearer", "invalid_request")]
    [InlineData("aud", "turn.attacker.example", "invalid_target")]
    [InlineData("timestamp", "yesterday", "invalid_request")]
    [InlineData("timestamp", "-1", "invalid_request")]
    [InlineData("lifetime", "0", "invalid_request")]
    [InlineData("lifetime", "-5", "invalid_request")]
    [InlineData("lifetime", "soon", "invalid_request")]
    [InlineData("lifetime", "99999999999", "invalid_request")]
    [Requirement("RFC6749-5.2-1")]
    [Requirement("ABUSE-88")]
    [Requirement("ABUSE-89")]
    public async Task WrongParameter_ItsOAuthErrorNamesIt(string name, string value, string error)
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().With(name, value).SendAsync(app)).AssertError(HttpStatusCode.BadRequest, error);

        Assert.Contains(name.Replace("token_type", "token type", StringComparison.Ordinal), answer.Description);
    }

    [Theory]
    [InlineData("grant_type", "invalid_request")]
    [InlineData("scope", "invalid_scope")]
    [InlineData("aud", "invalid_request")]
    [Requirement("RFC6749-5.2-2")]
    public async Task MissingParameter_TheErrorNamesIt(string name, string error)
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().Without(name).SendAsync(app)).AssertError(HttpStatusCode.BadRequest, error);

        Assert.Contains(name, answer.Description);
    }

    [Theory]
    [InlineData("aud", WafApp.TurnServer)]
    [InlineData("alg", "HMAC-SHA1")]
    [InlineData("sid", "other")]
    [InlineData("token_type", "pop")]
    [InlineData("scope", "stun")]
    [InlineData("grant_type", "client_credentials")]
    [InlineData("client_id", WafApp.Client)]
    [Requirement("RFC6749-3.2-1")]
    [Requirement("ABUSE-86")]
    public async Task ParameterThatComesTwice_InvalidRequest(string name, string value)
    {
        using var app = new WafApp();
        var request = new TokenRequest().And(name, value);

        TokenAnswer[] answers = [await request.PostAsync(app), await request.GetAsync(app)];

        foreach (var answer in answers)
            Assert.Contains($"'{name}'", answer.AssertError(HttpStatusCode.BadRequest, "invalid_request").Description);
    }

    [Fact]
    [Requirement("RFC8707-2-1")]
    [Requirement("ABUSE-88")]
    [Requirement("RFC9700-2.3-1")]
    public async Task AudienceOfAnotherClient_LooksLikeOneThatDoesNotExist()
    {
        using var app = new WafApp();
        (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(app, WafApp.OtherClient, WafApp.OtherSecret)).AssertOk();

        var forbidden = await new TokenRequest().SendAsync(app, WafApp.OtherClient, WafApp.OtherSecret);
        var unknown = await new TokenRequest().With("aud", "nowhere").SendAsync(app, WafApp.OtherClient, WafApp.OtherSecret);

        forbidden.AssertError(HttpStatusCode.BadRequest, "invalid_target");
        Assert.Equal(unknown.Body.ToString(), forbidden.Body.ToString());
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(-300, true)]
    [InlineData(300, true)]
    [InlineData(-301, false)]
    [InlineData(301, false)]
    [Requirement("RFC7635-B-3")]
    public async Task Timestamp_MustBeOfNow(int offset, bool accepted)
    {
        using var app = new WafApp { Time = new FakeTimeProvider(Now) };
        var request = new TokenRequest().With("timestamp", $"{Now.ToUnixTimeSeconds() + offset}");

        var answer = await request.SendAsync(app);

        if (accepted) answer.AssertOk();
        else Assert.Contains("'timestamp'", answer.AssertError(HttpStatusCode.BadRequest, "invalid_request").Description);
    }

    [Fact]
    public async Task PseudonymThatIsTooLong_Refused()
    {
        using var app = new WafApp();

        (await new TokenRequest().With("sid", new string('p', 128)).SendAsync(app)).AssertOk();
        var answer = (await new TokenRequest().With("sid", new string('p', 129)).SendAsync(app))
            .AssertError(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Contains("'sid'", answer.Description);
    }

    private static string Nonce(string accessToken)
    {
        Assert.True(AccessTokenKey.TryGetNonce(Convert.FromBase64String(accessToken), out var nonce));
        return Convert.ToHexString(nonce);
    }
}
