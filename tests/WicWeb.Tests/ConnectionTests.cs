using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Tests.Common;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>TCP connections to the gateway: how many of one address, of all, and which give way.</summary>
public sealed class ConnectionTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestCertificate _certificate = new();
    private readonly List<IDisposable> _clients = [];
    private BackendStub _backend = null!;
    private GatewayFactory? _gateway;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private GatewayFactory Gateway => _gateway!;

    private ConnectionAdmission Admission => Gateway.Services.GetRequiredService<ConnectionAdmission>();

    public async ValueTask InitializeAsync() => _backend = await BackendStub.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        if (_gateway is not null) await _gateway.DisposeAsync();
        await _backend.DisposeAsync();
        _certificate.Dispose();
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("GET / HTTP/1.1\r\nHost: loc", false)]
    [InlineData("", true)]
    [Requirement("SEC-1")]
    public async Task SilentConnectionsOfOneAddress_GiveWay_AndAnotherAddressIsServed(string sent, bool isHttps)
    {
        Start(isHttps, ("IdlePerAddress", "10"));
        var other = await ConnectAsync("127.0.0.1");
        var strangers = new List<Socket>();
        for (var i = 0; i < 30; i++)
        {
            strangers.Add(await ConnectAsync("127.0.0.66"));
            await strangers[^1].SendAsync(Encoding.ASCII.GetBytes(sent), Cancel);
        }

        foreach (var oldest in strangers.Take(20)) Assert.True(await HasEndedAsync(oldest));
        Assert.Equal(11, Admission.Count);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/api/session")).StatusCode);
        Assert.False(await HasEndedAsync(other, TimeSpan.FromMilliseconds(50)));
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task ConnectionWithARequestInFlight_StaysInAFlood_AndIsIdleAfterIt()
    {
        Start(isHttps: false, ("IdlePerAddress", "3"));
        var answer = new TaskCompletionSource();
        _backend.Answer = async context =>
        {
            await answer.Task;
            await context.Response.WriteAsync("late");
        };
        var response = GetAsync("/api/session");
        await Eventually.IsTrueAsync(() => !_backend.Requests.IsEmpty);
        List<Socket> flood = [];
        for (var i = 0; i < 20; i++) flood.Add(await ConnectAsync("127.0.0.1"));
        // A connection that is admitted only after the answer would take the place of the one that is then idle.
        foreach (var oldest in flood.Take(17)) Assert.True(await HasEndedAsync(oldest));
        Assert.Equal((3, 4), (Admission.Unauthenticated, Admission.Count));

        answer.SetResult();
        Assert.Equal("late", await (await response).Content.ReadAsStringAsync(Cancel));
        await Eventually.IsTrueAsync(() => Admission is { Unauthenticated: 3, Count: 3 });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("SEC-1")]
    public async Task WebSocketOfALiveSession_StaysInAFlood_OverHttp1AndHttp2(bool isHttp2)
    {
        Start(isHttps: isHttp2, ("Total", "5"));
        var socket = await OpenWebSocketAsync(isHttp2, BackendStub.Cookie);
        await Eventually.IsTrueAsync(() => Admission.Authenticated == 1);
        for (var i = 0; i < 20; i++) await ConnectAsync($"127.0.0.{i + 1}");
        await Eventually.IsTrueAsync(() => Admission is { Authenticated: 1, Count: 5 });

        await socket.SendAsync("hi"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Cancel);
        Assert.Equal(2, (await socket.ReceiveAsync(new byte[10], Cancel)).Count);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", Cancel);
        await Eventually.IsTrueAsync(() => Admission.Authenticated == 0);
    }

    [Theory]
    [InlineData("")]
    [InlineData("wwsf-session=ended")]
    [Requirement("SEC-1")]
    public async Task WebSocketOfAStranger_GivesWay_WhenNoIdleConnectionIsLeft(string cookie)
    {
        Start(isHttps: false, ("Total", "3"));
        List<ClientWebSocket> sockets = [];
        for (var i = 0; i < 3; i++) sockets.Add(await OpenWebSocketAsync(isHttp2: false, cookie));
        Assert.Equal((0, 3), (Admission.Authenticated, Admission.Count));

        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/icon.svg")).StatusCode);
        await Assert.ThrowsAnyAsync<WebSocketException>(() => sockets[0].ReceiveAsync(new byte[10], Cancel));
        Assert.Equal(3, Admission.Count);
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task ManyRequestsOverOneHttp2Connection_CountAsOneConnection()
    {
        Start(isHttps: true, ("PerAddress", "1"));
        var answer = new TaskCompletionSource();
        _backend.Answer = async context =>
        {
            await answer.Task;
            await context.Response.WriteAsync("ok");
        };
        var responses = Enumerable.Range(0, 20).Select(_ => GetAsync("/api/session", HttpVersion.Version20)).ToList();
        await Eventually.IsTrueAsync(() => _backend.Requests.Count >= 20);
        Assert.Equal((0, 1), (Admission.Unauthenticated, Admission.Count));

        answer.SetResult();
        Assert.All(await Task.WhenAll(responses), response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
        await Eventually.IsTrueAsync(() => Admission is { Unauthenticated: 1, Count: 1 });
    }

    [Fact]
    [Requirement("SEC-42")]
    public async Task RequestsInFlightOfOneAddress_AreBounded_AlsoOverOneHttp2Connection()
    {
        Start(isHttps: true, ("IdlePerAddress", "3"));
        var answer = new TaskCompletionSource();
        _backend.Answer = async context =>
        {
            await answer.Task;
            await context.Response.WriteAsync("ok");
        };
        var waiting = Enumerable.Range(0, 6).Select(_ => GetAsync("/api/session", HttpVersion.Version20)).ToList();
        await Eventually.IsTrueAsync(() => _backend.Requests.Count == 6);

        Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync("/api/session", HttpVersion.Version20)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/icon.svg", HttpVersion.Version20)).StatusCode);

        answer.SetResult();
        Assert.All(await Task.WhenAll(waiting), response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/api/session", HttpVersion.Version20)).StatusCode);
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task RequestsInFlight_GiveWayLast_WhenAllPlacesAreTaken()
    {
        Start(isHttps: false, ("Total", "2"));
        var inFlight = 0;
        _backend.Answer = async context =>
        {
            if (Interlocked.Increment(ref inFlight) <= 2) await Task.Delay(Timeout.Infinite, context.RequestAborted);
            await context.Response.WriteAsync("ok");
        };
        var sent = 0;
        foreach (var address in (string[])["127.0.0.2", "127.0.0.3"])
        {
            var slow = await ConnectAsync(address);
            await slow.SendAsync(
                Encoding.ASCII.GetBytes($"GET /api/session HTTP/1.1\r\nHost: {Gateway.Address.Authority}\r\n\r\n"), Cancel);
            // The first request begins before the second, so its connection is the older one.
            sent++;
            await Eventually.IsTrueAsync(() => Volatile.Read(ref inFlight) == sent);
        }

        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/api/session")).StatusCode);
        Assert.True(await HasEndedAsync((Socket)_clients[0]));
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task ConnectionsThatEnd_LeaveNothing()
    {
        Start(isHttps: true, ("IdlePerAddress", "20"));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/api/session")).StatusCode);
        for (var i = 0; i < 100; i++)
        {
            var stranger = await ConnectAsync($"127.0.0.{(i % 2) + 1}");
            if (i % 3 == 0) await stranger.SendAsync("GET / HT"u8.ToArray(), Cancel);
            if (i % 5 == 0) stranger.LingerState = new LingerOption(true, 0);
        }

        _clients.ForEach(client => client.Dispose());
        await Eventually.IsTrueAsync(() => Admission.Count == 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("SEC-1")]
    public async Task ProxyInFrontOfTheGateway_IsBelievedOnlyIfTheSettingsNameIt(bool isKnown)
    {
        _gateway = new GatewayFactory(_backend.Address, epCscf: _backend.Address);
        if (isKnown) _gateway.With("WicWeb:KnownProxies:0", "127.0.0.0/8").With("WicWeb:Connections:IdlePerAddress", "1");
        using var client = new HttpClient { BaseAddress = Gateway.Address };
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/session");
        request.Headers.Add("X-Forwarded-For", "203.0.113.7");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "phone.example.com");
        using var response = await client.SendAsync(request, Cancel);

        var headers = Assert.Single(_backend.Requests).Headers;
        Assert.Equal(
            isKnown ? ("203.0.113.7", "https", "phone.example.com") : ("127.0.0.1", "http", Gateway.Address.Authority),
            (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"], headers["X-Forwarded-Host"]));
        if (!isKnown) return;

        // Its connections are those of many clients.
        var first = await ConnectAsync("127.0.0.1");
        await ConnectAsync("127.0.0.1");
        Assert.False(await HasEndedAsync(first, TimeSpan.FromMilliseconds(50)));
    }

    [Fact]
    public void WrongSettings_AreNamed()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["WicWeb:Connections:Total"] = "0",
            ["WicWeb:Connections:Idle"] = "-1",
            ["WicWeb:Connections:IdlePerAddress"] = "0",
            ["WicWeb:Connections:PerAddress"] = "many",
        }).Build();
        var error = Assert.Throws<SettingsException>(
            () => SettingsReader.Read<ConnectionSettings>(configuration, "WicWeb:Connections"));
        foreach (var name in (string[])["Total", "Idle ", "IdlePerAddress", "PerAddress"])
            Assert.Contains($"WicWeb:Connections:{name}", error.Message, StringComparison.Ordinal);
    }

    private void Start(bool isHttps, params (string Name, string Value)[] settings)
    {
        _gateway = new GatewayFactory(_backend.Address, epCscf: _backend.Address, certificate: isHttps ? _certificate : null);
        foreach (var (name, value) in settings) _gateway.With($"WicWeb:Connections:{name}", value);
        _ = _gateway.Address;
    }

    /// <summary>A WebSocket to a backend that sends its first message back.</summary>
    private async Task<ClientWebSocket> OpenWebSocketAsync(bool isHttp2, string cookie)
    {
        _backend.Answer = async context =>
        {
            using var accepted = await context.WebSockets.AcceptWebSocketAsync("sip");
            var octets = new byte[10];
            var received = await accepted.ReceiveAsync(octets, CancellationToken.None);
            await accepted.SendAsync(octets.AsMemory(0, received.Count), WebSocketMessageType.Text, true, CancellationToken.None);
            await accepted.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
        };
        var socket = new ClientWebSocket();
        _clients.Add(socket);
        socket.Options.AddSubProtocol("sip");
        if (cookie.Length > 0) socket.Options.SetRequestHeader("Cookie", cookie);
        if (isHttp2)
            (socket.Options.HttpVersion, socket.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        var invoker = new HttpMessageInvoker(new SocketsHttpHandler { SslOptions = _certificate.ClientOptions() });
        _clients.Add(invoker);
        await socket.ConnectAsync(
            new UriBuilder(Gateway.Address) { Scheme = isHttp2 ? "wss" : "ws", Path = "/sip" }.Uri, invoker, Cancel);
        return socket;
    }

    private async Task<Socket> ConnectAsync(string from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(socket);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(IPAddress.Loopback, Gateway.Address.Port, Cancel);
        return socket;
    }

    private async Task<HttpResponseMessage> GetAsync(string path, Version? version = null)
    {
        var handler = _clients.OfType<HttpClient>().FirstOrDefault();
        if (handler is null)
        {
            handler = new HttpClient(new SocketsHttpHandler { SslOptions = _certificate.ClientOptions() }) { Timeout = Patience };
            _clients.Add(handler);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Gateway.Address, path))
        {
            Version = version ?? HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        return await handler.SendAsync(request, Cancel);
    }

    private static async Task<bool> HasEndedAsync(Socket socket, TimeSpan? patience = null)
    {
        using var limit = new CancellationTokenSource(patience ?? Patience);
        try
        {
            return await socket.ReceiveAsync(new byte[1000], limit.Token) == 0;
        }
        catch (SocketException)
        {
            // A reset is also an end.
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
