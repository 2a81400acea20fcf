using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;
using WebRtcIms.WicWeb.Settings;
using WebRtcIms.Wwsf.Tests;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>FlowView behind a log-in at an OpenID Connect provider.</summary>
public sealed class FlowSignInTests : IAsyncLifetime
{
    private const string Role = "operator";

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private BackendStub _backend = null!;
    private OpenIdProvider _provider = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await BackendStub.StartAsync();
        _provider = await OpenIdProvider.StartAsync();
        _provider.User["roles"] = Role;
    }

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Fact]
    [Requirement("SEC-35")]
    public async Task UserWithTheClaim_SeesFlowView_ForAnHour()
    {
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);
        Assert.Equal((HttpStatusCode.Redirect, "/flow/"), await browser.LogInAsync());

        foreach (var path in (string[])["/flow", "/flow/", "/flow/api/traces", "/flow/assets/x.js"])
            Assert.Equal((path, HttpStatusCode.OK), (path, (await browser.GetAsync(path)).Status));
        Assert.All(_backend.Requests, request => Assert.DoesNotContain("Cookie", request.Headers.Keys));
        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync("/flow/api/traces")).Status);
    }

    [Fact]
    [Requirement("SEC-35")]
    [Requirement("SEC-18")]
    public async Task Cookies_AreOnlyForFlowView_AndSayNothing()
    {
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);
        await browser.LogInAsync();

        Assert.Contains(browser.SetCookies, cookie => cookie.StartsWith("__Secure-flow-view=", StringComparison.Ordinal));
        Assert.All(browser.SetCookies, cookie =>
        {
            Assert.StartsWith("__Secure-flow-view", cookie, StringComparison.Ordinal);
            foreach (var attribute in (string[])["; path=/flow", "; secure", "; samesite=lax", "; httponly"])
                Assert.Contains(attribute, cookie, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("carol", cookie, StringComparison.OrdinalIgnoreCase);
        });
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("operators")]
    [InlineData("Operator")]
    [Requirement("SEC-35")]
    public async Task UserWithoutTheClaim_SeesNothing(string? role)
    {
        if (role is null) _provider.User.Remove("roles");
        else _provider.User["roles"] = role;
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);

        Assert.Equal(HttpStatusCode.Forbidden, (await browser.LogInAsync()).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync("/flow/api/traces")).Status);
        Assert.Empty(_backend.Requests);
    }

    [Fact]
    [Requirement("SEC-35")]
    public async Task WithoutALogIn_ThePageGoesToTheProvider_AndNothingElseAnswers()
    {
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);

        foreach (var path in (string[])["/flow", "/flow/", "/FLOW/", "/%66low/"])
        {
            var (status, location) = await browser.GetAsync(path);
            Assert.Equal((path, HttpStatusCode.Redirect), (path, status));
            Assert.StartsWith($"{_provider.Address}/authorize?", location, StringComparison.Ordinal);
            Assert.Contains("&code_challenge_method=S256", location, StringComparison.Ordinal);
        }
        foreach (var path in (string[])["/flow/api/traces", "/flow/api/events", "/flow/assets/x.js", "/flow/?t=x", "/flow//"])
            Assert.NotEqual((path, HttpStatusCode.OK), (path, (await browser.GetAsync(path)).Status));
        foreach (var cookie in (string[])["x", "9999999999.AAAA", ""])
        {
            browser.Cookies["__Secure-flow-view"] = cookie;
            Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync("/flow/api/traces")).Status);
        }
        Assert.Empty(_backend.Requests);
    }

    [Fact]
    [Requirement("SEC-35")]
    public async Task ReturnThatThisBrowserDidNotAskFor_IsRefused_AlsoASecondTime()
    {
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);
        using var other = new FlowBrowser(gateway);
        var back = await browser.AskAsync();

        Assert.Equal(HttpStatusCode.Forbidden, (await other.GetAsync(back)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await other.GetAsync("/flow/signed-in?code=x&state=y")).Status);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.GetAsync(back)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await browser.GetAsync(back)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await other.GetAsync("/flow/api/traces")).Status);
    }

    [Theory]
    [InlineData("/flow/signed-in")]
    [InlineData("/FLOW/Signed-In")]
    [Requirement("SEC-44")]
    public async Task ReturnsOfOneAddress_AreBounded_AndFlowViewIsNot(string path)
    {
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);
        for (var sent = 0; sent < 30; sent++)
            Assert.Equal(HttpStatusCode.Forbidden, (await browser.GetAsync($"{path}?code={sent}&state=y")).Status);

        Assert.Equal(HttpStatusCode.TooManyRequests, (await browser.GetAsync($"{path}?code=x&state=y")).Status);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.GetAsync("/flow/")).Status);
    }

    [Theory]
    [InlineData("another issuer")]
    [InlineData("denied")]
    [Requirement("SEC-35")]
    public async Task FailedLogIn_IsASentence(string what)
    {
        if (what == "denied") _provider.IsDenied = true;
        else _provider.Issuer = "https://evil.example";
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);

        Assert.Equal(HttpStatusCode.Forbidden, (await browser.LogInAsync()).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync("/flow/api/traces")).Status);
    }

    [Fact]
    [Requirement("SEC-35")]
    public async Task ProviderThatIsAway_IsASentence_AndThePageStays()
    {
        await _provider.StopAsync();
        await using var gateway = Gateway();
        using var browser = new FlowBrowser(gateway);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await browser.GetAsync("/flow/")).Status);
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync("/api/session")).Status);
    }

    [Fact]
    [Requirement("SEC-35")]
    public async Task HostOfFlowView_HasNothingElse_AndTheOtherHostsDoNotHaveIt()
    {
        await using var gateway = Gateway(("WicWeb:FlowHost", "flow.example.com"));
        using var here = new FlowBrowser(gateway);
        using var flow = new FlowBrowser(gateway, "flow.example.com");

        foreach (var path in (string[])["/flow", "/flow/", "/flow/api/traces"])
            Assert.Equal((path, HttpStatusCode.NotFound), (path, (await here.GetAsync(path)).Status));
        foreach (var path in (string[])["/", "/index.html", "/api/session", "/api/directory", "/sip", "/v1/page/traces"])
            Assert.Equal((path, HttpStatusCode.NotFound), (path, (await flow.GetAsync(path)).Status));
        Assert.Empty(_backend.Requests);
        Assert.Equal((HttpStatusCode.Redirect, "/flow/"), await flow.LogInAsync());
        Assert.Equal(HttpStatusCode.OK, (await flow.GetAsync("/flow/")).Status);
        Assert.Equal(HttpStatusCode.OK, (await here.GetAsync("/")).Status);
    }

    /// <summary>A balancer sends each request to any gateway. A gateway that starts again is another one to the browser.</summary>
    [Fact]
    [Requirement("SEC-35")]
    public async Task GatewaysWithOneKeyDirectory_AcceptTheLogInsOfEachOther_AndOneWithoutItDoesNot()
    {
        var folder = Directory.CreateTempSubdirectory("wic-web-keys-");
        await using var first = Gateway(("WicWeb:KeyDirectory", folder.FullName));
        await using var second = Gateway(("WicWeb:KeyDirectory", folder.FullName));
        await using var other = Gateway();
        using var browser = new FlowBrowser(first, "localhost");

        var back = await browser.AskAsync();
        browser.Gateway = second;
        Assert.Equal((HttpStatusCode.Redirect, "/flow/"), await browser.GetAsync(back));
        browser.Gateway = first;
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync("/flow/api/traces")).Status);
        browser.Gateway = other;
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync("/flow/api/traces")).Status);
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("Authority", "http://login.example.com", "must be an https address")]
    [InlineData("Authority", "", "must be an https address")]
    [InlineData("ClientId", "", "ClientId is missing")]
    [InlineData("ClientSecret", " ", "ClientSecret is missing")]
    [InlineData("Claim", "", "Claim is missing")]
    [InlineData("Value", "", "Value is missing")]
    [Requirement("SEC-35")]
    public void IncompleteSettings_StopTheStart(string name, string value, string problem)
    {
        var settings = new Dictionary<string, string?>
        {
            ["WicWeb:Flow"] = "OpenIdConnect",
            ["WicWeb:FlowProvider:Authority"] = "https://login.example.com",
            ["WicWeb:FlowProvider:ClientId"] = "flow",
            ["WicWeb:FlowProvider:ClientSecret"] = "hidden",
            ["WicWeb:FlowProvider:Value"] = Role,
        };
        Assert.Equal(FlowReaders.OpenIdConnect, Read().Flow);
        settings[$"WicWeb:FlowProvider:{name}"] = value;

        var error = Assert.Throws<SettingsException>(Read);
        Assert.Contains($"WicWeb:FlowProvider:{name}", error.Message, StringComparison.Ordinal);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);

        WicWebSettings Read() => WicWebSettings.Read(
            new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), new HostingEnvironment { EnvironmentName = "Production" });
    }

    private GatewayFactory Gateway(params (string Key, string Value)[] more)
    {
        var settings = new Dictionary<string, string>
        {
            ["WicWeb:Flow"] = "OpenIdConnect",
            ["WicWeb:FlowProvider:Authority"] = _provider.Address,
            ["WicWeb:FlowProvider:ClientId"] = OpenIdProvider.ClientId,
            ["WicWeb:FlowProvider:ClientSecret"] = OpenIdProvider.ClientSecret,
            ["WicWeb:FlowProvider:Scopes:0"] = "profile",
            ["WicWeb:FlowProvider:Value"] = Role,
        };
        foreach (var (key, value) in more) settings[key] = value;
        var gateway = new GatewayFactory(_backend.Address) { Time = _time, Settings = settings };
        _ = gateway.Address;
        return gateway;
    }

    /// <summary>A browser with its cookies, also those that are only for https.</summary>
    private sealed class FlowBrowser(GatewayFactory gateway, string? host = null) : IDisposable
    {
        private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });

        public GatewayFactory Gateway { get; set; } = gateway;

        public Dictionary<string, string> Cookies { get; } = [];

        public List<string> SetCookies { get; } = [];

        public void Dispose() => _http.Dispose();

        /// <summary>The whole log-in; the last status and address.</summary>
        public async Task<(HttpStatusCode Status, string Location)> LogInAsync() => await GetAsync(await AskAsync());

        /// <summary>Goes to the provider; the address to which it sends the browser.</summary>
        public async Task<string> AskAsync()
        {
            var (_, location) = await GetAsync("/flow/");
            using var answer = await _http.GetAsync(new Uri(location), Cancel);
            Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
            return answer.Headers.Location!.PathAndQuery;
        }

        public async Task<(HttpStatusCode Status, string Location)> GetAsync(string path)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Gateway.Address, path));
            if (host is not null) request.Headers.Host = host;
            if (Cookies.Count > 0)
                request.Headers.Add("Cookie", string.Join("; ", Cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
            using var answer = await _http.SendAsync(request, Cancel);
            if (answer.Headers.TryGetValues("Set-Cookie", out var cookies)) Keep(cookies);
            return (answer.StatusCode, answer.Headers.Location?.OriginalString ?? "");
        }

        private void Keep(IEnumerable<string> cookies)
        {
            foreach (var cookie in cookies)
            {
                SetCookies.Add(cookie);
                var pair = cookie.Split(';')[0].Split('=', 2);
                if (pair[1].Length == 0) Cookies.Remove(pair[0]);
                else Cookies[pair[0]] = pair[1];
            }
        }
    }
}
