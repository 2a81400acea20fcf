using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
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
        (await new TokenRequest().GetAsync(strict)).AssertError(HttpStatusCode.BadRequest, "invalid_request");
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
            // Somebody else's secret.
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

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task UnknownClient_AnsweredAfterTheSameWork()
    {
        using var app = new WafApp();
        List<double> unknown = [], wrong = [];
        for (var i = 0; i < 25; i++)
        {
            // A new address each time, so that the limit does not answer.
            app.RemoteAddress = new IPAddress([198, 51, 100, (byte)i]);
            wrong.Add(await ElapsedAsync(app, WafApp.Client));
            unknown.Add(await ElapsedAsync(app, "nobody"));
        }

        // Without the work it is a half.
        Assert.InRange(Median(unknown) / Median(wrong), 0.67, 1.5);
    }

    [Fact]
    [Requirement("ABUSE-85")]
    [Requirement("RFC6749-2.3.1-2")]
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

        // The right secret, too: the answer must not tell that the guess was right.
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

    [Fact]
    public async Task TokenRequestsPerMinute_IsWhatOneAddressGets()
    {
        using var app = new WafApp().With("Waf:TokenRequestsPerMinute", "2");
        (await new TokenRequest().SendAsync(app)).AssertOk();
        (await new TokenRequest().SendAsync(app)).AssertOk();

        using var refused = await app.CreateClient()
            .GetAsync(new Uri(TokenRequest.Path, UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
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

    private static async Task<double> ElapsedAsync(WafApp app, string client)
    {
        var started = Stopwatch.GetTimestamp();
        (await new TokenRequest().SendAsync(app, client, "not-the-secret-of-it"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
