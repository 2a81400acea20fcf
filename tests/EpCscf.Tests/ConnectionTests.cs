using System.Net;
using System.Net.WebSockets;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Who may connect, from which address and how often.</summary>
public sealed class ConnectionTests : IAsyncDisposable
{
    private const string Stranger = "203.0.113.66";
    private const string Other = "203.0.113.1";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));
    private readonly List<Wic> _pages = [];
    private EpCscfApp? _app;

    private EpCscfApp App => _app!;

    private ConnectionAdmission Admission => App.Service<ConnectionAdmission>();

    public async ValueTask DisposeAsync()
    {
        foreach (var page in _pages) await page.DisposeAsync();
        if (_app is not null) await _app.DisposeAsync();
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("ABUSE-70")]
    public async Task OneAddress_HasItsShareOfUnregisteredConnections_TheOldestGivesWay_AndOthersLoseNothing()
    {
        Start(("EpCscf:Limits:UnregisteredPerAddress", "2"));
        var other = await ConnectAsync(Other);
        var registered = await RegisterAsync("alice", Stranger);
        var (first, second) = (await ConnectAsync(Stranger), await ConnectAsync(Stranger));
        await ConnectAsync(Stranger);

        await first.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);
        foreach (var page in (Wic[])[other, registered, second]) await page.AssertNothingAsync();
        Assert.Equal((3, 1), (Admission.Unauthenticated, Admission.Authenticated));
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task FloodOfOneAddress_DoesNotShutOutAnotherPage()
    {
        Start(("EpCscf:Limits:UnregisteredPerAddress", "10"), ("EpCscf:Limits:Unregistered", "10"));
        await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => TryConnectAsync(Stranger)));
        var page = await ConnectAsync(Other);
        await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => TryConnectAsync(Stranger)));

        Assert.StartsWith("SIP/2.0 200", (await page.RegisterAsync(App.Token("alice"))).StartLine, StringComparison.Ordinal);
        Assert.InRange(Admission.Unauthenticated, 1, 10);
        Assert.Equal(1, Admission.Authenticated);
    }

    [Theory]
    [InlineData("198.51.100.7", false)]
    [InlineData("10.9.0.1", true)]
    [InlineData("127.0.0.1", true)]
    [Requirement("SEC-1")]
    public async Task ForwardedAddress_IsBelievedOnlyFromAKnownProxy(string proxy, bool isBelieved)
    {
        Start(("EpCscf:Limits:UnregisteredPerAddress", "1"), ("EpCscf:KnownProxies:0", "10.9.0.0/16"));
        App.RemoteAddress = IPAddress.Parse(proxy);
        var first = await ConnectAsync(Stranger);
        await ConnectAsync(Other);

        if (isBelieved) await first.AssertNothingAsync();
        else await first.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(isBelieved ? 2 : 1, Admission.Count);
        Assert.Equal(!isBelieved, App.Logs.Text.Contains("add it to EpCscf:KnownProxies", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task LoopbackIsNoException_AndAForgedAddressInFrontOfTheRealOneChangesNothing()
    {
        Start(("EpCscf:Limits:UnregisteredPerAddress", "1"));
        var direct = await App.ConnectAsync();
        _pages.Add(direct);
        _pages.Add(await App.ConnectAsync());
        await direct.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);

        var forged = await ConnectAsync($"192.0.2.1, {Stranger}");
        await ConnectAsync($"192.0.2.2, {Stranger}");
        await forged.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task PageThatEndsItsRegistration_GivesWayAgain()
    {
        Start(("EpCscf:Limits:UnregisteredPerAddress", "1"));
        var page = await RegisterAsync("alice", Stranger);
        Assert.StartsWith(
            "SIP/2.0 200", (await page.RegisterAsync(App.Token("alice"), expires: 0)).StartLine, StringComparison.Ordinal);
        Assert.Equal((1, 0), (Admission.Unauthenticated, Admission.Authenticated));

        await ConnectAsync(Stranger);
        await page.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task PageWhoseRegistrationHasExpired_GivesWay_AndOneThatRenewsDoesNot()
    {
        Start();
        await RegisterAsync("alice", Stranger);
        _time.Advance(TimeSpan.FromMinutes(9));
        await RegisterAsync("bob", Other);
        Assert.Equal((0, 2), (Admission.Unauthenticated, Admission.Authenticated));

        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal((1, 1), (Admission.Unauthenticated, Admission.Authenticated));
        Assert.StartsWith("SIP/2.0 200", (await _pages[0].RegisterAsync(App.Token("alice"))).StartLine, StringComparison.Ordinal);
        Assert.Equal((0, 2), (Admission.Unauthenticated, Admission.Authenticated));
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task RegisteredConnectionsOfOneAddress_AreBounded_ExceptThatAPageMayComeBack()
    {
        Start(("EpCscf:Limits:RegisteredPerAddress", "1"));
        var alice = await RegisterAsync("alice", Stranger);
        var bob = await ConnectAsync(Stranger, "bob");
        var refusal = await bob.RegisterAsync(App.Token("bob"));
        Assert.Equal("SIP/2.0 503 Service Unavailable: too many connections", refusal.StartLine);
        Assert.Equal("5", refusal["Retry-After"]);
        await bob.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, bob.Socket.CloseStatus);

        var again = await alice.ReconnectAsync(options: options => options.SetRequestHeader("X-Forwarded-For", Stranger));
        _pages.Add(again);
        Assert.StartsWith("SIP/2.0 200", (await again.RegisterAsync(App.Token("alice"))).StartLine, StringComparison.Ordinal);
        await RegisterAsync("bob", Other);
        await again.AssertNothingAsync();
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task Total_OfRegisteredConnections_RefusesTheNextOneBeforeTheUpgrade()
    {
        Start(("EpCscf:Limits:Connections", "1"));
        var stranger = await ConnectAsync(Stranger);
        await RegisterAsync("alice", Other);
        await stranger.Closed.WaitAsync(Patience, TestContext.Current.CancellationToken);

        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("sip");
        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(
            new UriBuilder(App.Address) { Scheme = "ws", Path = "/sip" }.Uri, TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, socket.HttpStatusCode);
        Assert.Equal("10", socket.HttpResponseHeaders!["Retry-After"].Single());
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("ABUSE-70")]
    public async Task ManyConnectionsAtOnce_NeverPassTheLimits_AndLeaveNothing()
    {
        Start(("EpCscf:Limits:Connections", "8"), ("EpCscf:Limits:Unregistered", "4"), ("EpCscf:Limits:UnregisteredPerAddress", "3"));
        for (var round = 0; round < 3; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 40).Select(async number =>
            {
                await TryConnectAsync($"203.0.113.{number % 20}");
                Assert.InRange(Admission.Unauthenticated, 0, 4);
            }));

            foreach (var page in _pages) await page.DisposeAsync();
            _pages.Clear();
            await Eventually.IsTrueAsync(() => Admission.Count + App.Service<Connections.Flows>().Count == 0);
        }
    }

    [Theory]
    [InlineData("https://phone.example.com", "phone.example.com", "https", true)]
    [InlineData("https://phone.example.com", "phone.example.com:443", "https", true)]
    [InlineData("https://phone.example.com:443", "phone.example.com", "https", true)]
    [InlineData("http://phone.example.com", "phone.example.com:80", "http", true)]
    [InlineData("https://PHONE.example.com", "phone.example.com", "https", true)]
    [InlineData("https://phone.example.com:8443", "phone.example.com:8443", "https", true)]
    [InlineData("https://[2001:db8::1]", "[2001:db8::1]", "https", true)]
    [InlineData("https://phone.example.com", "phone.example.com", "https, https", true)]
    [InlineData("https://phone.example.com", "PHONE.Example.Com:443", "HTTPS", true)]
    [InlineData("https://phone.example.com.", "phone.example.com", "https", true)]
    [InlineData("https://phone.example.com", "phone.example.com.:443", "https", true)]
    [InlineData("https://phone.example.com", "phone.example.com", "wss", true)]
    [InlineData("http://phone.example.com", "phone.example.com", "ws", true)]
    [InlineData("http://phone.example.com", "phone.example.com", "wss", false)]
    [InlineData("https://[2001:db8::1]", "[2001:DB8:0:0::1]:443", "https", true)]
    [InlineData("https://xn--bcher-kva.example", "xn--bcher-kva.example", "https", true)]
    [InlineData("https://xn--bcher-kva.example", "XN--BCHER-KVA.example:443", "https", true)]
    [InlineData("https://xn--strae-oqa.example", "xn--strae-oqa.example", "https", true)]
    [InlineData("https://xn--strae-oqa.example", "strasse.example", "https", false)]
    [InlineData("https://xn--bcher-kva.example", "bucher.example", "https", false)]
    [InlineData("https://phone.example.com", "phone.example.com, inner:8080", "https, http", true)]
    [InlineData("https://inner:8080", "phone.example.com, inner:8080", "https, https", false)]
    [InlineData("https://phone.example.com/", "phone.example.com:x", "https", false)]
    [InlineData("https://phone.example.com/x", "phone.example.com", "https", false)]
    [InlineData("https://user@phone.example.com", "phone.example.com", "https", false)]
    [InlineData("", "phone.example.com", "https", false)]
    [InlineData("http://phone.example.com", "phone.example.com", "https", false)]
    [InlineData("https://phone.example.com", "phone.example.com", "http", false)]
    [InlineData("http://phone.example.com:443", "phone.example.com:443", "https", false)]
    [InlineData("https://phone.example.com:8443", "phone.example.com", "https", false)]
    [InlineData("https://evil.example", "phone.example.com", "https", false)]
    [InlineData("https://phone.example.com.evil.example", "phone.example.com", "https", false)]
    [InlineData("file://phone.example.com", "phone.example.com", "https", false)]
    [InlineData("null", "phone.example.com", "https", false)]
    [Requirement("SEC-31")]
    [Requirement("NET-07")]
    [Requirement("NET-09")]
    public async Task Origin_IsSchemeHostAndPort_AndTheDefaultPortIsNone(string origin, string host, string scheme, bool isAllowed)
    {
        Start(("EpCscf:KnownProxies:0", "10.9.0.0/16"));
        Task<Wic> ConnectAsync() => Wic.ConnectAsync(App, "alice", options: options =>
        {
            options.SetRequestHeader("Origin", origin);
            options.SetRequestHeader("X-Forwarded-For", host.Contains(',', StringComparison.Ordinal) ? $"{Other}, 10.9.0.1" : Other);
            options.SetRequestHeader("X-Forwarded-Host", host);
            options.SetRequestHeader("X-Forwarded-Proto", scheme);
        });

        if (isAllowed) _pages.Add(await ConnectAsync());
        else await Assert.ThrowsAsync<WebSocketException>(ConnectAsync);
    }

    [Fact]
    [Requirement("SEC-31")]
    public async Task ForwardedHostOfAStranger_IsNotBelieved()
    {
        Start();
        App.RemoteAddress = IPAddress.Parse(Stranger);
        await Assert.ThrowsAsync<WebSocketException>(() => Wic.ConnectAsync(App, "alice", options: options =>
        {
            options.SetRequestHeader("Origin", "https://evil.example");
            options.SetRequestHeader("X-Forwarded-For", Other);
            options.SetRequestHeader("X-Forwarded-Host", "evil.example");
            options.SetRequestHeader("X-Forwarded-Proto", "https");
        }));
    }

    private void Start(params (string Key, string Value)[] settings) => _app = EpCscfApp.Start(_time, settings);

    /// <summary>A page behind the gateway.</summary>
    private async Task<Wic> ConnectAsync(string address, string user = "alice")
    {
        var page = await Wic.ConnectAsync(App, user, options: options => options.SetRequestHeader("X-Forwarded-For", address));
        lock (_pages) _pages.Add(page);
        return page;
    }

    // In a flood, a connection may give way before its upgrade is complete.
    private async Task TryConnectAsync(string address)
    {
        var error = await Record.ExceptionAsync(() => ConnectAsync(address));
        if (error is not null) Assert.IsType<WebSocketException>(error);
    }

    private async Task<Wic> RegisterAsync(string user, string address)
    {
        var page = await ConnectAsync(address, user);
        Assert.StartsWith("SIP/2.0 200", (await page.RegisterAsync(App.Token(user))).StartLine, StringComparison.Ordinal);
        return page;
    }
}
