using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using OpenIddict.Abstractions;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;

namespace WebRtcIms.Waf.Tests;

public sealed class ClientAuthenticationTests
{
    [Fact]
    [Requirement("RFC6749-2.3.1-1")]
    public async Task SecretInTheHeaderOrInTheForm_Authenticated()
    {
        using var app = new WafApp();

        (await new TokenRequest().SendAsync(app)).AssertOk();
        (await new TokenRequest().PostAsync(app)).AssertOk();
    }

    [Fact]
    [Requirement("TS33.203-X.5.3.2-4")]
    [Requirement("ABUSE-87")]
    public async Task GetWithClientPassword_ServedUnlessSwitchedOff()
    {
        using var app = new WafApp();
        var answer = (await new TokenRequest().GetAsync(app)).AssertOk();
        WafApp.Decrypt(answer.Kid, answer.AccessToken, WafApp.TurnServer);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);

        using var strict = new WafApp().With("Waf:AllowGetTokenRequests", "false");
        (await new TokenRequest().GetAsync(strict)).AssertError(HttpStatusCode.MethodNotAllowed, "invalid_request");
        (await new TokenRequest().SendAsync(strict)).AssertOk();
    }

    [Fact]
    public async Task ClientPasswordInAForm_RefusedWithTheRightName()
    {
        using var app = new WafApp();

        var answer = await new TokenRequest().And("client_id", WafApp.Client).And("client_password", WafApp.ClientSecret)
            .PostAsStrangerAsync(app);

        Assert.Contains("'client_secret'", answer.AssertError(HttpStatusCode.BadRequest, "invalid_request").Description);
    }

    [Fact]
    [Requirement("RFC6749-3.2-2")]
    public async Task GetWithBothNamesOfTheSecret_InvalidRequest()
    {
        using var app = new WafApp();

        (await new TokenRequest().And("client_secret", WafApp.ClientSecret).GetAsync(app))
            .AssertError(HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    [Requirement("RFC6749-5.2-3")]
    [Requirement("ABUSE-85")]
    public async Task UnknownClientAndWrongSecret_OneAnswer()
    {
        using var app = new WafApp();
        TokenAnswer[] answers =
        [
            await new TokenRequest().SendAsync(app, WafApp.Client, "not-the-secret-of-it"),
            await new TokenRequest().SendAsync(app, "nobody", "not-the-secret-of-it"),
            await new TokenRequest().PostAsync(app, WafApp.Client, "not-the-secret-of-it"),
            await new TokenRequest().PostAsync(app, "nobody", "not-the-secret-of-it"),
            await new TokenRequest().GetAsync(app, WafApp.Client, "not-the-secret-of-it"),
            await new TokenRequest().GetAsync(app, "nobody", "not-the-secret-of-it"),
            // The secret of another client.
            await new TokenRequest().SendAsync(app, WafApp.Client, WafApp.OtherSecret),
        ];

        foreach (var answer in answers)
        {
            answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client");
            Assert.Equal(answers[0].Body.ToString(), answer.Body.ToString());
            Assert.Equal(answers[0].Headers.Keys.Order(), answer.Headers.Keys.Order());
            Assert.StartsWith("Basic ", answer.Headers["WWW-Authenticate"]);
        }
    }

    [Theory]
    [InlineData(WafApp.Client, "'client_secret'")]
    [InlineData("nobody", "'client_secret'")]
    [InlineData("", "'client_id'")]
    [Requirement("RFC6749-5.2-2")]
    public async Task NoCredentials_TheErrorNamesWhatIsMissing(string client, string missing)
    {
        using var app = new WafApp();

        var answer = await new TokenRequest().And("client_id", client).PostAsStrangerAsync(app);

        Assert.Contains(missing, answer.AssertError(HttpStatusCode.BadRequest, "invalid_request").Description);
    }

    [Theory]
    [InlineData("none", false)]
    [InlineData("none", true)]
    [InlineData("HS256", false)]
    [InlineData("HS256", true)]
    [Requirement("ABUSE-90")]
    public async Task ClientAssertion_IsNoAuthentication_UnsignedSignedOrReplayed(string algorithm, bool namesTheClient)
    {
        using var app = new WafApp();
        var assertion = Assertion(algorithm);
        for (var i = 0; i < 2; i++)
        {
            var request = new TokenRequest().And("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .And("client_assertion", assertion);
            if (namesTheClient) request.And("client_id", WafApp.Client);
            (await request.PostAsStrangerAsync(app)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        }
    }

    /// <summary>Hashing the secret is the work that a response time shows.</summary>
    [Theory]
    [InlineData("basic")]
    [InlineData("post")]
    [InlineData("get")]
    [InlineData("revoke")]
    [InlineData("introspect")]
    [Requirement("ABUSE-85")]
    public async Task UnknownClient_AnsweredAfterTheSameWork(string how)
    {
        await using var redis = await RedisServer.StartAsync();
        var hashes = new HashCount();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address).WithServices(hashes.AddTo)
            .With("Waf:Issuer", "https://waf.example.org/")
            .With("Waf:Clients:2:ClientId", "signer")
            .With("Waf:Clients:2:Jwks", SignedAssertion.PublicKeys)
            .With("Waf:Clients:2:Audiences:0", WafApp.TurnServer);
        (await new TokenRequest().SendAsync(app)).AssertOk();
        foreach (var client in (string[])[WafApp.Client, "nobody", "signer"])
        {
            hashes.Count = 0;
            var answer = await (how switch
            {
                "basic" => new TokenRequest().SendAsync(app, client, "not-the-secret-of-it"),
                "post" => new TokenRequest().PostAsync(app, client, "not-the-secret-of-it"),
                "get" => new TokenRequest().GetAsync(app, client, "not-the-secret-of-it"),
                "revoke" => TokenRequest.RevokeAsync(app, client, "not-the-secret-of-it", ("token", "AAAA")),
                _ => TokenRequest.IntrospectAsync(app, client, "not-the-secret-of-it", ("token", "AAAA")),
            });
            answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client");
            Assert.True(hashes.Count == 1, $"{client}: {hashes.Count} hashes");
        }
    }

    [Fact]
    [Requirement("ABUSE-85")]
    [Requirement("RFC6749-2.3.1-2")]
    [Requirement("RFC9700-2.5-2")]
    public async Task RepeatedFailures_429UntilTheMinuteIsOver()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
        using var app = new WafApp { Time = time };
        for (var i = 0; i < FailedAuthentications.PerMinute; i++)
        {
            (await new TokenRequest().SendAsync(app, secret: $"a guess, number {i}"))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
            time.Advance(TimeSpan.FromSeconds(1));
        }

        // Also the right secret: the response must not show that the guess was right.
        var answer = (await new TokenRequest().SendAsync(app)).AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
        Assert.Equal("50", answer.Headers["Retry-After"]);

        // Neither the client elsewhere nor another client here is affected.
        (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(app, WafApp.OtherClient, WafApp.OtherSecret)).AssertOk();
        app.RemoteAddress = IPAddress.Parse("198.51.100.9");
        (await new TokenRequest().SendAsync(app)).AssertOk();

        app.RemoteAddress = IPAddress.Loopback;
        time.Advance(TimeSpan.FromSeconds(50));
        (await new TokenRequest().SendAsync(app)).AssertOk();
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("this name is longer than any client's: ----------------------------------------------------------------------------")]
    [Requirement("ABUSE-85")]
    public async Task RepeatedFailuresOfAnUnknownClient_429AsWell(string client)
    {
        using var app = new WafApp { Time = new FakeTimeProvider() };
        for (var i = 0; i < FailedAuthentications.PerMinute; i++)
            (await new TokenRequest().PostAsync(app, client, "a guess")).AssertError(HttpStatusCode.Unauthorized, "invalid_client");

        (await new TokenRequest().PostAsync(app, client, "a guess")).AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
    }

    [Theory]
    [InlineData("/oauth2/token")]
    [InlineData("/oauth2/revoke")]
    [InlineData("/oauth2/introspect")]
    [InlineData("/oauth2/register")]
    [InlineData("/oauth2/register/a-client")]
    [InlineData("/.well-known/stun-key")]
    [Requirement("ABUSE-85")]
    public async Task TokenRequestsPerMinute_IsTheLimitOfOneAddress_AtEachEndpoint(string path)
    {
        using var app = new WafApp().With("Waf:TokenRequestsPerMinute", "2");
        using var client = app.CreateClient();
        List<HttpStatusCode> answers = [];
        for (var i = 0; i < 3; i++)
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
            answers.Add(answer.StatusCode);
            Assert.Equal(i == 2, answer.Headers.RetryAfter is not null);
        }

        Assert.Equal([false, false, true], answers.Select(status => status == HttpStatusCode.TooManyRequests));
        // The limit is one for all of them.
        Assert.Equal(HttpStatusCode.TooManyRequests, (await new TokenRequest().SendAsync(app)).Status);
        app.RemoteAddress = IPAddress.Parse("198.51.100.9");
        (await new TokenRequest().SendAsync(app)).AssertOk();
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task FloodFromOneAddress_429AndOtherAddressesServed()
    {
        using var app = new WafApp();
        using var client = app.CreateClient();
        var path = new Uri(TokenRequest.Path, UriKind.Relative);
        var served = 0;
        using var refused = await FirstRefusalAsync();

        Assert.Equal(1200, served);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        app.RemoteAddress = IPAddress.Parse("198.51.100.9");
        (await new TokenRequest().SendAsync(app)).AssertOk();

        async Task<HttpResponseMessage> FirstRefusalAsync()
        {
            while (true)
            {
                var answer = await client.DeleteAsync(path, TestContext.Current.CancellationToken);
                if (answer.StatusCode == HttpStatusCode.TooManyRequests) return answer;
                answer.Dispose();
                served++;
            }
        }
    }

    [Fact]
    [Requirement("RFC9700-2.5-3")]
    public async Task Secrets_AreStoredAsHashes()
    {
        using var app = new WafApp();
        (await new TokenRequest().SendAsync(app)).AssertOk();

        var files = Directory.GetFiles(app.StoreDirectory);
        var stored = string.Concat(files.Select(file => Encoding.Latin1.GetString(ReadShared(file))));
        Assert.Contains(WafApp.Client, stored);
        Assert.DoesNotContain(WafApp.ClientSecret, stored);
        Assert.DoesNotContain(WafApp.OtherSecret, stored);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                File.GetUnixFileMode(app.StoreDirectory));
    }

    [Fact]
    public async Task SecretChangedInTheConfiguration_OldOneRefusedAfterARestart()
    {
        using var before = new WafApp();
        (await new TokenRequest().SendAsync(before)).AssertOk();
        using var after = new WafApp()
            .With("ConnectionStrings:waf", $"Data Source={before.StoreDirectory}/waf.db")
            .With("Waf:Clients:0:ClientSecret", "the new secret of it");

        (await new TokenRequest().SendAsync(after)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await new TokenRequest().SendAsync(after, secret: "the new secret of it")).AssertOk();
        (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(after, WafApp.OtherClient, WafApp.OtherSecret)).AssertOk();
    }

    public static TheoryData<string, string, string, bool> ChangedPermissions => new()
    {
        { "Waf:Clients:0:Audiences:0", WafApp.SecondTurnServer, $"aud:{WafApp.TurnServer}", false },
        { "Waf:Clients:1:Audiences:1", WafApp.TurnServer, $"aud:{WafApp.TurnServer}", true },
        { "Waf:Clients:0:Impus:0", "sip:guest-*@ims.example", "scp:ims.register", true },
        { "Waf:Clients:1:Impus:0", "sip:guest-*@ims.example", "scp:ims.register", true },
    };

    [Theory]
    [MemberData(nameof(ChangedPermissions))]
    public async Task PermissionChangedInTheConfiguration_HoldsAfterARestart_WithTheSameSecret(string setting, string value,
        string permission, bool granted)
    {
        var client = setting.Contains(":0:", StringComparison.Ordinal) ? WafApp.Client : WafApp.OtherClient;
        using var before = new WafApp();
        Assert.NotEqual(granted, (await PermissionsAsync(before, client)).Contains(permission));

        using var after = new WafApp().With("ConnectionStrings:waf", $"Data Source={before.StoreDirectory}/waf.db").With(setting, value);
        Assert.Equal(granted, (await PermissionsAsync(after, client)).Contains(permission));

        using var again = new WafApp().With("ConnectionStrings:waf", $"Data Source={before.StoreDirectory}/waf.db");
        Assert.NotEqual(granted, (await PermissionsAsync(again, client)).Contains(permission));
    }

    [Fact]
    public async Task AudienceTakenFromAClient_IsRefusedAfterARestart()
    {
        using var before = new WafApp();
        (await new TokenRequest().SendAsync(before)).AssertOk();

        using var after = new WafApp().With("ConnectionStrings:waf", $"Data Source={before.StoreDirectory}/waf.db")
            .With("Waf:Clients:0:Audiences:0", WafApp.SecondTurnServer);

        (await new TokenRequest().SendAsync(after)).AssertError(HttpStatusCode.BadRequest, "invalid_target");
        (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(after)).AssertOk();
    }

    /// <summary>A store of an earlier version has clients without the permission to revoke.</summary>
    [Fact]
    public async Task StoreWithOtherPermissions_GetsThoseOfTheConfiguration()
    {
        using var before = new WafApp();
        var wanted = await PermissionsAsync(before, WafApp.Client);
        await using (var scope = before.Services.CreateAsyncScope())
        {
            var applications = scope.ServiceProvider.GetRequiredService<ClientManager>();
            var application = (await applications.FindForUpdateAsync(WafApp.Client, TestContext.Current.CancellationToken))!;
            var descriptor = new OpenIddictApplicationDescriptor();
            await applications.PopulateAsync(descriptor, application, TestContext.Current.CancellationToken);
            Assert.True(descriptor.Permissions.Remove(OpenIddictConstants.Permissions.Endpoints.Revocation));
            await applications.UpdateAsync(application, descriptor, TestContext.Current.CancellationToken);
        }

        using var after = new WafApp().With("ConnectionStrings:waf", $"Data Source={before.StoreDirectory}/waf.db");

        Assert.Equal(wanted.Order(), (await PermissionsAsync(after, WafApp.Client)).Order());
        (await new TokenRequest().SendAsync(after)).AssertOk();
    }

    private static async Task<IReadOnlyList<string>> PermissionsAsync(WafApp app, string clientId)
    {
        await using var scope = app.Services.CreateAsyncScope();
        var applications = scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>();
        var application = await applications.FindByClientIdAsync(clientId, TestContext.Current.CancellationToken);
        return await applications.GetPermissionsAsync(application!, TestContext.Current.CancellationToken);
    }

    // RFC 7523 §3, right in every claim; HS256 is signed with the client's own secret.
    private static string Assertion(string algorithm)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var signed = Part(new { alg = algorithm, typ = "JWT" }) + "." + Part(new
        {
            iss = WafApp.Client,
            sub = WafApp.Client,
            aud = "http://localhost/oauth2/token",
            jti = "one-time",
            iat = now,
            exp = now + 60,
        });
        var signature = algorithm == "none"
            ? [] : HMACSHA256.HashData(Encoding.UTF8.GetBytes(WafApp.ClientSecret), Encoding.ASCII.GetBytes(signed));
        return $"{signed}.{Base64Url.EncodeToString(signature)}";

        static string Part(object claims) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims));
    }

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
