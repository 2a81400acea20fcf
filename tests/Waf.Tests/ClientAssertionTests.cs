using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;
using static WebRtcIms.Waf.Tests.SignedAssertion;

namespace WebRtcIms.Waf.Tests;

/// <summary>A client that signs what it says (private_key_jwt, RFC 7523), its assertions made here from scratch.</summary>
public sealed class ClientAssertionTests
{
    private const string Issuer = "https://waf.example.org/";
    private const string Signer = "signer";

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    [Requirement("RFC7523-3-1")]
    public async Task SignedAssertion_AuthenticatesTheClient_WithItsNameOrWithout()
    {
        using var app = App();

        (await AskAsync(app, Sign(Claims()))).AssertOk();
        (await AskAsync(app, Sign(Claims()), Signer)).AssertOk();
        // RFC 7523 does not say what the type is.
        foreach (var type in (string?[])[null, "JWT", "jwt", "application/client-authentication+jwt"])
            (await AskAsync(app, Encode("ES256", Claims(), Sign, type))).AssertOk();
    }

    /// <summary>A WWSF sends one for each token. Each is in the memory of a replica, and in Redis.</summary>
    [Fact]
    public async Task UsedAssertion_IsRememberedTwoMinutesLongerThanItLives()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var connection = await redis.ConnectAsync();
        var used = new UsedAssertions(_time, connection);
        var end = _time.GetUtcNow() + TimeSpan.FromMinutes(1);
        Assert.True(await used.IsFirstAsync(Signer, "1", end));
        Assert.False(await used.IsFirstAsync(Signer, "1", end));

        var key = Assert.Single(connection.GetServers()[0].Keys());
        Assert.InRange(
            (await connection.GetDatabase().KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(3));
        Assert.False(await new UsedAssertions(_time, connection).IsFirstAsync(Signer, "1", end));
    }

    /// <summary>
    /// At each level that an operator can choose: all categories, the library, the class that traces what it has read, one provider.
    /// </summary>
    [Theory]
    [InlineData("Logging:LogLevel:Default")]
    [InlineData("Logging:LogLevel:OpenIddict")]
    [InlineData("Logging:LogLevel:OpenIddict.Server.OpenIddictServerDispatcher")]
    [InlineData("Logging:WebRtcIms.Tests.Common.LogRecorder:LogLevel:OpenIddict.Server")]
    [Requirement("ABUSE-87")]
    public async Task Logs_HaveNoAssertion_EvenAtTrace(string setting)
    {
        using var app = App().WithAllLogs().With(setting, "Trace");
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var forged = Encode("ES256", Claims(), octets => stranger.SignData(octets, HashAlgorithmName.SHA256));
        var (good, late) = (Sign(Claims()), Claims());
        late["exp"] = _time.GetUtcNow().ToUnixTimeSeconds() - 61;
        var expired = Sign(late);
        var token = (await AskAsync(app, good)).AssertOk();
        foreach (var refused in (string[])[good, forged, expired]) AssertRefused(await AskAsync(app, refused));

        var written = app.Logs.Records;
        Assert.Contains(written, text => text.StartsWith("Debug OpenIddict.Server", StringComparison.Ordinal));
        Assert.Contains(written, text => text.StartsWith("Trace ", StringComparison.Ordinal));
        foreach (
            var secret in (string[])[good, forged, expired, .. new[] { good, forged, expired }.Select(assertion => assertion.Split('.')[2]),
            token.AccessToken, token.Key])
            Assert.DoesNotContain(written, text => text.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("ABUSE-90")]
    public async Task ReplayedAssertion_IsRefused_InTheFleet()
    {
        await using var redis = await RedisServer.StartAsync();
        using var first = App().With("ConnectionStrings:redis", redis.Address);
        using var second = App().With("ConnectionStrings:redis", redis.Address);
        var assertion = Sign(Claims());

        (await AskAsync(first, assertion)).AssertOk();
        (await AskAsync(first, assertion)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await AskAsync(second, assertion)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");

        // Without Redis each knows its own.
        await redis.StopAsync();
        var next = Sign(Claims());
        (await AskAsync(second, next)).AssertOk();
        (await AskAsync(second, next)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("RFC7523-3-1")]
    [Requirement("RFC7009-2.1-1")]
    public async Task SignedAssertion_RevokesItsToken_AndOnlyItsOwn()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = App().With("ConnectionStrings:redis", redis.Address);
        using var connection = await redis.ConnectAsync();
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = (await AskAsync(app, Sign(Claims()))).AssertOk().AccessToken;
        var other = (await new TokenRequest().SendAsync(app)).AssertOk().AccessToken;
        var forged = Encode("ES256", Claims(), octets => stranger.SignData(octets, HashAlgorithmName.SHA256));
        var (wrongAudience, used) = (Claims(), Sign(Claims()));
        wrongAudience["aud"] = "https://elsewhere.example.org/";

        (await RevokeAsync(app, used, ("token", other))).AssertError(HttpStatusCode.BadRequest, "unauthorized_client");
        foreach (var refused in (string[])[forged, used, Sign(wrongAudience), "a.b.c", "nonsense"])
            AssertRefused(await RevokeAsync(app, refused, ("token", token)));
        Assert.Equal(0, await connection.GetDatabase().SortedSetLengthAsync(TurnRevocations.Key));

        (await RevokeAsync(app, Sign(Claims()), ("token", token))).AssertOk();
        (await RevokeAsync(app, Sign(Claims()), ("all_tokens", "true"))).AssertOk();
        (await RevokeAsync(app, Sign(Claims()), ("client_id", Signer), ("all_tokens", "true"))).AssertOk();

        var revoked = await connection.GetDatabase().SortedSetRangeByRankAsync(TurnRevocations.Key);
        Assert.Equal(2, revoked.Length);
        Assert.Contains(revoked, name => name.StartsWith("token:k1:"));
        Assert.Contains(TurnRevocations.OfClient(Signer), revoked.Select(name => name.ToString()));
    }

    [Theory]
    [InlineData("aud", "https://elsewhere.example.org/")]
    [InlineData("aud", "http://localhost/")]
    [InlineData("aud", null)]
    [InlineData("iss", WafApp.Client)]
    [InlineData("iss", null)]
    [InlineData("sub", WafApp.Client)]
    [InlineData("sub", null)]
    [InlineData("jti", "")]
    [InlineData("jti", null)]
    [InlineData("exp", null)]
    [InlineData("exp", -61)]
    [InlineData("exp", 301)]
    [InlineData("nbf", 120)]
    [Requirement("ABUSE-90")]
    [Requirement("RFC7523-3-1")]
    public async Task WrongClaim_IsRefused(string claim, object? value)
    {
        using var app = App();
        var claims = Claims();
        claims.Remove(claim);
        if (value is int seconds) claims[claim] = _time.GetUtcNow().ToUnixTimeSeconds() + seconds;
        else if (value is not null) claims[claim] = value;

        AssertRefused(await AskAsync(app, Sign(claims)));
    }

    [Fact]
    [Requirement("ABUSE-90")]
    [Requirement("RFC9700-2.5-4")]
    public async Task HostOfTheRequest_IsNoAudience()
    {
        using var app = App();
        var claims = Claims();
        claims["aud"] = "https://attacker.example.org/";
        using var client = app.CreateClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, TokenRequest.Path)
        {
            Headers = { Host = "attacker.example.org" },
            Content = new FormUrlEncodedContent([
                new("grant_type", "client_credentials"), new("scope", "stun"), new("aud", WafApp.TurnServer),
                new("client_assertion_type", SignedAssertion.Type), new("client_assertion", Sign(claims))]),
        };

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("HS256")]
    [InlineData("ES256")]
    [InlineData("changed")]
    [InlineData("another kind of JWT")]
    [Requirement("ABUSE-90")]
    public async Task UnsignedOrSignedByAnother_IsRefused(string how)
    {
        using var app = App();
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var assertion = how switch
        {
            "none" => Encode("none", Claims(), _ => []),
            // The public key as a secret: the classic confusion of algorithms.
            "HS256" => Encode("HS256", Claims(), octets => HMACSHA256.HashData(SignedAssertion.Key.ExportSubjectPublicKeyInfo(), octets)),
            "ES256" => Encode("ES256", Claims(), octets => other.SignData(octets, HashAlgorithmName.SHA256)),
            "changed" => Change(Sign(Claims())),
            _ => Encode("ES256", Claims(), Sign, "logout+jwt"),
        };

        AssertRefused(await AskAsync(app, assertion));
    }

    /// <summary>Verifying a signature is the work that a response time shows.</summary>
    [Theory]
    [InlineData("/oauth2/token")]
    [InlineData("/oauth2/revoke")]
    [InlineData("/oauth2/introspect")]
    [Requirement("ABUSE-85")]
    [Requirement("ABUSE-90")]
    public async Task FailedAssertion_OneAnswerAfterTheSameWork_WhateverTheClientIs(string path)
    {
        await using var redis = await RedisServer.StartAsync();
        var (hashes, verifications) = (new HashCount(), new VerificationCount());
        using var rsa = RSA.Create(2048);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var app = App().With("ConnectionStrings:redis", redis.Address).WithServices(hashes.AddTo).WithServices(verifications.AddTo);
        (await AskAsync(app, Sign(Claims()))).AssertOk();
        Assert.Equal(1, verifications.Count);
        (string Algorithm, Func<byte[], byte[]> Sign, int Verifications)[] forgers =
        [
            ("ES256", octets => stranger.SignData(octets, HashAlgorithmName.SHA256), 1),
            ("ES384", octets => stranger.SignData(octets, HashAlgorithmName.SHA384), 1),
            ("RS256", octets => rsa.SignData(octets, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1), 1),
            ("PS512", octets => rsa.SignData(octets, HashAlgorithmName.SHA512, RSASignaturePadding.Pss), 1),
            ("HS256", octets => HMACSHA256.HashData("guess"u8, octets), 0),
            ("none", _ => [], 0),
        ];
        foreach (var (algorithm, sign, expected) in forgers)
        {
            List<string> answers = [];
            foreach (var client in (string[])[Signer, "nobody", WafApp.Client])
            {
                var claims = Claims();
                (claims["iss"], claims["sub"]) = (client, client);
                (hashes.Count, verifications.Count) = (0, 0);
                var answer = await SendAsync(app, path, Encode(algorithm, claims, sign));
                AssertRefused(answer);
                answers.Add(answer.Body.ToString());
                Assert.Equal((algorithm, client, 0, expected), (algorithm, client, hashes.Count, verifications.Count));
            }

            Assert.Single(answers.Distinct());
        }
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task ForgedAssertions_429UntilTheMinuteIsOver_ForKnownAndUnknownClients()
    {
        using var app = App();
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        foreach (var client in (string[])[Signer, "nobody"])
        {
            var claims = Claims();
            (claims["iss"], claims["sub"]) = (client, client);
            for (var i = 0; i < FailedAuthentications.PerMinute; i++)
                AssertRefused(await AskAsync(app, Forge()));

            var answer = (await AskAsync(app, Forge())).AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
            Assert.NotEmpty(answer.Headers["Retry-After"]);

            string Forge() => Encode("ES256", claims, octets => stranger.SignData(octets, HashAlgorithmName.SHA256));
        }

        // Also a good one: the response must not show that it was good.
        (await AskAsync(app, Sign(Claims()))).AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
        _time.Advance(TimeSpan.FromMinutes(1));
        (await AskAsync(app, Sign(Claims()))).AssertOk();
    }

    /// <summary>One verification for each assertion: of several keys that fit, the assertion names one.</summary>
    [Theory]
    [InlineData("s1", true)]
    [InlineData("s2", false)]
    [InlineData("another", false)]
    [InlineData(null, false)]
    public async Task ClientWithSeveralKeysOfAKind_NamesTheKey(string? keyId, bool isAccepted)
    {
        using var second = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var rsa = RSA.Create(3072);
        var (point, numbers) = (second.ExportParameters(false).Q, rsa.ExportParameters(false));
        var other = $$"""{"kty":"EC","crv":"P-256","kid":"s2","x":"{{Url(point.X)}}","y":"{{Url(point.Y)}}"}""";
        var third = $$"""{"kty":"RSA","kid":"s3","n":"{{Url(numbers.Modulus)}}","e":"{{Url(numbers.Exponent)}}"}""";
        var keys = SignedAssertion.PublicKeys.Replace("]", $",{other},{third}]", StringComparison.Ordinal);
        using var app = App().With("Waf:Clients:2:Jwks", keys);

        var answer = await AskAsync(app, Encode("ES256", Claims(), Sign, keyId: keyId));

        Assert.Equal(isAccepted ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, answer.Status);
        // The only key of its kind need not be named.
        (await AskAsync(app, Encode(
            "PS256", Claims(), octets => rsa.SignData(octets, HashAlgorithmName.SHA256, RSASignaturePadding.Pss), keyId: null))).AssertOk();

        static string Url(byte[]? octets) => Base64Url.EncodeToString(octets);
    }

    [Fact]
    public async Task AssertionOfOneClient_DoesNotServeAnother()
    {
        using var app = App();

        AssertRefused(await AskAsync(app, Sign(Claims()), WafApp.Client));
    }

    [Fact]
    public async Task ClientThatSigns_HasNoSecret()
    {
        using var app = App();

        (await new TokenRequest().SendAsync(app, Signer, "some secret or other"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await new TokenRequest().SendAsync(app)).AssertOk();
    }

    [Fact]
    public async Task KeyInPlaceOfTheSecret_AndTheSecretAgain_HoldAfterARestart()
    {
        using var before = new WafApp();
        (await new TokenRequest().SendAsync(before)).AssertOk();
        var store = $"Data Source={before.StoreDirectory}/waf.db";
        using var signs = App(WafApp.Client).With("ConnectionStrings:waf", store);
        var claims = Claims();
        (claims["iss"], claims["sub"]) = (WafApp.Client, WafApp.Client);

        (await AskAsync(signs, Sign(claims))).AssertOk();
        (await new TokenRequest().SendAsync(signs)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");

        using var after = new WafApp().With("ConnectionStrings:waf", store);
        (await new TokenRequest().SendAsync(after)).AssertOk();
        claims["jti"] = "another";
        (await AskAsync(after, Sign(claims))).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("RFC8414-2-1")]
    public async Task Metadata_NamesIssuerAndMethod()
    {
        using var app = App();
        using var client = app.CreateClient();
        var document =
            JsonElement.Parse(
                await client.GetStringAsync(new Uri("/.well-known/oauth-authorization-server", UriKind.Relative),
                TestContext.Current.CancellationToken));

        Assert.Equal(Issuer, document.GetProperty("issuer").GetString());
        Assert.Contains("private_key_jwt",
            document.GetProperty("token_endpoint_auth_methods_supported").EnumerateArray().Select(method => method.GetString()));
    }

    private WafApp App(string clientId = Signer)
    {
        var number = clientId == Signer ? 2 : 0;
        return new WafApp { Time = _time }
            .With("Waf:Issuer", Issuer)
            .With($"Waf:Clients:{number}:ClientId", clientId)
            .With($"Waf:Clients:{number}:ClientSecret", "")
            .With($"Waf:Clients:{number}:Jwks", SignedAssertion.PublicKeys)
            .With($"Waf:Clients:{number}:Audiences:0", WafApp.TurnServer);
    }

    // RFC 7523 §3, right in every claim.
    private Dictionary<string, object> Claims() => new()
    {
        ["iss"] = Signer,
        ["sub"] = Signer,
        ["aud"] = Issuer,
        ["jti"] = Guid.NewGuid().ToString(),
        ["iat"] = _time.GetUtcNow().ToUnixTimeSeconds(),
        ["exp"] = _time.GetUtcNow().ToUnixTimeSeconds() + 60,
    };

    // Another signer's name under the same signature.
    private static string Change(string assertion)
    {
        var parts = assertion.Split('.');
        var claims = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[1]))
            .Replace("\"exp\":", "\"exp\":1", StringComparison.Ordinal);
        return $"{parts[0]}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}.{parts[2]}";
    }

    private static Task<TokenAnswer> AskAsync(WafApp app, string assertion, string? clientId = null)
    {
        var request = new TokenRequest().And("client_assertion_type", SignedAssertion.Type).And("client_assertion", assertion);
        if (clientId is not null) request.And("client_id", clientId);
        return request.PostAsStrangerAsync(app);
    }

    private static Task<TokenAnswer> SendAsync(WafApp app, string path, string assertion) => path switch
    {
        TokenRequest.Path => AskAsync(app, assertion),
        TokenRequest.RevocationPath => RevokeAsync(app, assertion, ("token", "AAAA")),
        _ => TokenRequest.IntrospectAsync(
            app, ("token", "AAAA"), ("client_assertion_type", SignedAssertion.Type), ("client_assertion", assertion)),
    };

    private static Task<TokenAnswer> RevokeAsync(WafApp app, string assertion, params (string Name, string Value)[] form) =>
        TokenRequest.RevokeAsync(app, [.. form, ("client_assertion_type", SignedAssertion.Type), ("client_assertion", assertion)]);

    private static void AssertRefused(TokenAnswer answer) => answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client");
}
