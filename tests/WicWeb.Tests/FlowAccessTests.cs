using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>FlowView shows the traces of all users, so the gateway shows it only to operators.</summary>
public sealed class FlowAccessTests : IAsyncLifetime
{
    private const string Token = "0123456789abcdef0123456789abcdef";
    private static readonly string[] Paths =
        ["/flow", "/flow/", "/FLOW/", "/%66low/", "/flow/api/traces", "/flow/api/events", "/flow/assets/x.js"];

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private BackendStub _backend = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _backend = await BackendStub.StartAsync();

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    [Fact]
    [Requirement("SEC-4")]
    public async Task InProduction_FlowDoesNotExist()
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();

        foreach (var path in Paths) Assert.Equal((path, HttpStatusCode.NotFound), (path, await StatusAsync(client, path)));
        Assert.Empty(_backend.Requests);
    }

    [Theory]
    [InlineData("Host", "phone.example")]
    [InlineData("Host", "localhost.example")]
    [InlineData("X-Forwarded-For", "203.0.113.7")]
    [InlineData("Forwarded", "for=203.0.113.7")]
    [Requirement("SEC-4")]
    public async Task InDevelopment_OnlyBrowsersOfThisMachineSeeIt(string header, string value)
    {
        await using var gateway = Gateway(("environment", "Development"));
        using var client = gateway.CreateClient();
        using var other = gateway.CreateClient();
        other.DefaultRequestHeaders.Add(header, value);

        foreach (var path in Paths)
        {
            Assert.Equal((path, HttpStatusCode.OK), (path, await StatusAsync(client, path)));
            Assert.Equal((path, HttpStatusCode.NotFound), (path, await StatusAsync(other, path)));
        }
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task InDevelopment_TheRoomDoesNotSeeIt()
    {
        await using var gateway = Gateway(("environment", "Development"));
        gateway.RemoteAddress = IPAddress.Parse("192.168.1.21");
        using var client = gateway.CreateClient();

        foreach (var path in Paths) Assert.Equal((path, HttpStatusCode.NotFound), (path, await StatusAsync(client, path)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?t=")]
    [InlineData("?t=0123456789abcdef0123456789abcdeF")]
    [InlineData("?t=0123456789abcdef0123456789abcdef&t=x")]
    [InlineData("?token=0123456789abcdef0123456789abcdef")]
    [Requirement("SEC-4")]
    public async Task WithoutTheToken_NothingOfFlowViewIsShown(string query)
    {
        await using var gateway = WithToken();
        using var client = gateway.CreateClient();

        foreach (var path in Paths) Assert.Equal((path, HttpStatusCode.Unauthorized), (path, await StatusAsync(client, path + query)));
        Assert.Empty(_backend.Requests);
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task LinkWithTheToken_GivesACookieThatScriptsCannotRead_AndThatEnds()
    {
        await using var gateway = WithToken();
        using var client = gateway.CreateClient();

        using var answer = await client.GetAsync($"/flow/?t={Token}", Cancel);

        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        Assert.Contains("; path=/flow; samesite=strict; httponly", cookie, StringComparison.Ordinal);
        Assert.DoesNotContain(Token, cookie, StringComparison.Ordinal);
        var page = await answer.Content.ReadAsStringAsync(Cancel);
        Assert.Contains("url=/flow/\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain(Token, page, StringComparison.Ordinal);
        Assert.Empty(_backend.Requests);

        using var admitted = gateway.CreateClient();
        admitted.DefaultRequestHeaders.Add("Cookie", cookie.Split(';')[0]);
        foreach (var path in Paths) Assert.Equal((path, HttpStatusCode.OK), (path, await StatusAsync(admitted, path)));
        Assert.All(_backend.Requests, request => Assert.DoesNotContain("Cookie", request.Headers.Keys));
        _time.Advance(TimeSpan.FromHours(12.1));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(admitted, "/flow/"));
    }

    [Theory]
    [InlineData("9999999999.")]
    [InlineData("9999999999.AAAA")]
    [InlineData("9999999999")]
    [InlineData(Token)]
    [InlineData("9999999999.AAAA.AAAA")]
    [Requirement("SEC-4")]
    public async Task ForgedCookie_IsRefused(string value)
    {
        await using var gateway = WithToken();
        using var client = gateway.CreateClient();
        client.DefaultRequestHeaders.Add("Cookie", $"flow-view={value}");

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, "/flow/"));
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task CookieOfAnotherEnd_IsRefused()
    {
        await using var gateway = WithToken();
        using var client = gateway.CreateClient();
        using var answer = await client.GetAsync($"/flow/?t={Token}", Cancel);
        var cookie = answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        using var forger = gateway.CreateClient();
        forger.DefaultRequestHeaders.Add("Cookie", $"flow-view=9999999999.{cookie.Split('.')[1]}");

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(forger, "/flow/"));
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task FlowViewsKey_ComesFromTheGateway_AndNotFromCallers()
    {
        await using var gateway = Gateway(("environment", "Development"), ("FlowView:ApiKey", Token));
        using var client = gateway.CreateClient();
        client.DefaultRequestHeaders.Add(FlowViewKey.Header, "of a caller");

        await StatusAsync(client, "/flow/");

        Assert.Equal(Token, Assert.Single(_backend.Requests).Headers[FlowViewKey.Header]);
    }

    [Theory]
    [InlineData("Production", "Local", "", "only in Development, because a proxy on this machine is local also; use OpenIdConnect or Token")]
    [InlineData("Production", "Token", "short", "must have at least 32 characters, such as those of 'openssl rand -hex 32'")]
    [InlineData("Development", "Token", "", "must have at least 32 characters, such as those of 'openssl rand -hex 32'")]
    [InlineData("Production", "Everyone", "", "WicWeb:Flow must be one of Off, Local, Token, OpenIdConnect, not 'Everyone'")]
    [Requirement("SEC-4")]
    public void SettingThatOpensIt_StopsTheStart(string environment, string flow, string token, string problem)
    {
        var error = Assert.Throws<SettingsException>(() => WicWebSettings.Read(
            new ConfigurationBuilder().AddInMemoryCollection([new("WicWeb:Flow", flow), new("WicWeb:FlowToken", token)]).Build(),
            new HostingEnvironment { EnvironmentName = environment }));

        Assert.EndsWith(problem, error.Message, StringComparison.Ordinal);
    }

    private GatewayFactory WithToken() => Gateway(("WicWeb:Flow", "Token"), ("WicWeb:FlowToken", Token));

    private GatewayFactory Gateway(params (string Key, string Value)[] settings)
    {
        var gateway = new GatewayFactory(_backend.Address) { Time = _time, Settings = settings.ToDictionary() };
        _ = gateway.Address;
        return gateway;
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path, Cancel);
        return answer.StatusCode;
    }
}
