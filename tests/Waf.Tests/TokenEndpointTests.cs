using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The token endpoint around the token: the order of checks, hints to the client, and measurements.</summary>
public sealed class TokenEndpointTests
{
    [Theory]
    [InlineData(true, "Send a POST with a form, or a GET with a query.")]
    [InlineData(false, "Send a POST with a form.")]
    [Requirement("RFC6749-3.2-1")]
    public async Task OtherMethod_IsRefusedWithTheOnesThatAreServed(bool allowGet, string hint)
    {
        using var app = new WafApp().With("Waf:AllowGetTokenRequests", allowGet ? "true" : "false");
        using var client = app.CreateClient();

        using var answer = await client.PutAsync(
            new Uri(TokenRequest.Path, UriKind.Relative), new FormUrlEncodedContent([]), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allowGet ? ["GET", "POST"] : ["POST"], answer.Content.Headers.Allow);
        Assert.Contains($"\"{hint}\"", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    [Requirement("RFC6749-5.2-1")]
    public async Task RequestWithSeveralFaults_IsToldTheFirst()
    {
        using var app = new WafApp();
        var request = new TokenRequest().With("scope", "openid").With("aud", "nowhere").With("alg", "HMAC-MD5");

        (await request.SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_scope");
        (await request.With("scope", "stun").SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_target");
        (await request.Without("aud").SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    [Requirement("RFC6749-5.2-1")]
    public async Task EmptyAudience_IsMissing()
    {
        using var app = new WafApp();
        var answer = (await new TokenRequest().With("aud", "").SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal("The parameter 'aud' is missing: it names the TURN server.", answer.Description);
    }

    [Theory]
    [InlineData("scope", "openid", "The scope must be 'stun'.")]
    [InlineData("token_type", "bearer", "The token type must be 'pop'.")]
    [InlineData("aud", "nowhere", "The parameter 'aud' does not name a TURN server that this client may get tokens for.")]
    public async Task WrongParameter_TheErrorSaysWhatIsRight(string name, string value, string description)
    {
        using var app = new WafApp();
        Assert.Equal(description, (await new TokenRequest().With(name, value).SendAsync(app)).Description);
    }

    [Fact]
    public async Task EachToken_IsCountedAndTimed()
    {
        using var app = new WafApp();
        // The start creates instruments, which would wait for a listener that starts the application.
        var factory = app.Services.GetRequiredService<IMeterFactory>();
        using var meters = new MeterListener();
        var measured = new List<(string Token, double Seconds)>();
        meters.SetMeasurementEventCallback<double>((_, seconds, tags, _) =>
        {
            lock (measured) measured.Add(((string)tags[0].Value!, seconds));
        });
        meters.ListenTo(factory, "waf.token.issue.duration");
        meters.Start();

        var answer = (await new TokenRequest().With("alg", "HMAC-SHA1").SendAsync(app)).AssertOk();

        lock (app.Counts)
            Assert.Equal(
                1, app.Counts[$"waf.tokens.issued oauth.client_id=wwsf oauth.audience={WafApp.TurnServer} turn.mac_algorithm=HMAC-SHA1"]);
        var (token, seconds) = Assert.Single(measured);
        Assert.Equal("turn", token);
        var timing = $"step5;dur={(seconds * 1000).ToString("0.###", CultureInfo.InvariantCulture)};desc=\"token made\"";
        Assert.Equal(timing, answer.Headers["Server-Timing"]);
    }
}
