using System.Net;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>Secrets and tokens do not travel over plain http between machines, outside Development.</summary>
public sealed class EncryptionTests
{
    private static readonly IPAddress Stranger = IPAddress.Parse("192.0.2.7");

    public static TheoryData<string, string> Requests => new()
    {
        { "POST", "/oauth2/token" }, { "GET", "/oauth2/token?client_id=wwsf" }, { "POST", "/oauth2/register" },
        { "GET", "/oauth2/register/wwsf" }, { "PUT", "/oauth2/register/wwsf" }, { "DELETE", "/oauth2/register/wwsf" },
        { "POST", "/oauth2/revoke" }, { "POST", "/oauth2/introspect" },
        { "GET", "/.well-known/stun-key?service=stun&name=turn.example.org" }, { "GET", "/.well-known/oauth-authorization-server" },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    [Requirement("SEC-19")]
    public async Task PlainHttpFromAnotherMachine_IsRefused(string method, string path)
    {
        using var app = Production();
        app.RemoteAddress = Stranger;

        var (status, body) = await SendAsync(app, method, path);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("invalid_request", body.GetProperty("error").GetString());
        Assert.Equal("This server needs https.", body.GetProperty("error_description").GetString());
    }

    [Theory]
    [InlineData("127.0.0.1", null)]
    [InlineData("127.8.9.10", null)]
    [InlineData("::1", null)]
    [InlineData("::ffff:127.0.0.1", null)]
    [InlineData("192.0.2.7", "Mesh")]
    [InlineData("192.0.2.7", "mesh")]
    [Requirement("SEC-19")]
    public async Task ThisMachine_AndANetworkThatEncrypts_AreServed(string peer, string? encryption)
    {
        using var app = Production();
        if (encryption is not null) app.With("Transport:Encryption", encryption);
        app.RemoteAddress = IPAddress.Parse(peer);

        (await new TokenRequest().SendAsync(app)).AssertOk();
    }

    [Fact]
    [Requirement("SEC-19")]
    public async Task TlsThatEndsAtAKnownProxy_IsBelieved_AndNobodyElse()
    {
        using var app = Production().With("Waf:KnownProxies:0", "192.0.2.0/24");

        Assert.NotEqual(HttpStatusCode.BadRequest, await ForwardAsync("192.0.2.7", "https"));
        Assert.Equal(HttpStatusCode.BadRequest, await ForwardAsync("192.0.2.7", "http"));
        Assert.Equal(HttpStatusCode.BadRequest, await ForwardAsync("192.0.2.7", null));
        Assert.Equal(HttpStatusCode.BadRequest, await ForwardAsync("198.51.100.1", "https"));
        // A proxy on this machine that says that a caller came over http.
        Assert.Equal(HttpStatusCode.BadRequest, await ForwardAsync("127.0.0.1", "http"));

        async Task<HttpStatusCode> ForwardAsync(string proxy, string? scheme)
        {
            app.RemoteAddress = IPAddress.Parse(proxy);
            using var client = app.CreateClient();
            using var request = new HttpRequestMessage(HttpMethod.Get, "/.well-known/oauth-authorization-server");
            request.Headers.Add("X-Forwarded-For", "203.0.113.5");
            if (scheme is not null) request.Headers.Add("X-Forwarded-Proto", scheme);
            using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
            return response.StatusCode;
        }
    }

    [Fact]
    [Requirement("SEC-19")]
    public async Task Https_IsServed_AndHealthIsAnyhow()
    {
        using var app = Production();
        app.RemoteAddress = Stranger;
        using var client = app.CreateClient();
        client.BaseAddress = new Uri("https://waf.example.org/");

        using var metadata = await client.GetAsync(
            new Uri("/.well-known/oauth-authorization-server", UriKind.Relative), TestContext.Current.CancellationToken);
        using var health = await client.GetAsync(new Uri("http://localhost/alive"), TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (metadata.StatusCode, health.StatusCode));
    }

    private static WafApp Production() =>
        new WafApp().With("environment", "Production").With("Waf:Issuer", WafApp.Issuer);

    private static async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(WafApp app, string method, string path)
    {
        using var client = app.CreateClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Authorization = TokenRequest.Basic(WafApp.Client, WafApp.ClientSecret);
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
    }
}
