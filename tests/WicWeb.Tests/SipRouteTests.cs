using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>What the gateway forwards to the eP-CSCF.</summary>
public sealed class SipRouteTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("RFC7118-4")]
    public async Task Sip_IsAWebSocketThroughTheGateway_AlsoForMessagesLargerThanARequestMayBe()
    {
        await using var epCscf = await BackendStub.StartAsync();
        epCscf.Answer = EchoAsync;
        await using var gateway = new GatewayFactory("http://127.0.0.1:9", epCscf: epCscf.Address);
        using var socket = new ClientWebSocket();

        await ExpectEchoAsync(socket, gateway.Address, new HttpMessageInvoker(new SocketsHttpHandler()));

        Assert.True(epCscf.Requests.TryDequeue(out var upgrade));
        Assert.Equal("/sip", upgrade.Target);
        Assert.Equal(gateway.Address.Authority, upgrade.Headers["X-Forwarded-Host"]);
    }

    /// <summary>What a browser does once the page came over https.</summary>
    [Fact]
    public async Task Sip_OverHttp2_IsAWebSocketAsWell()
    {
        using var certificate = new TestCertificate();
        await using var epCscf = await BackendStub.StartAsync();
        epCscf.Answer = EchoAsync;
        await using var gateway = new GatewayFactory("http://127.0.0.1:9", epCscf: epCscf.Address, certificate: certificate);
        using var socket = new ClientWebSocket();
        (socket.Options.HttpVersion, socket.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);

        await ExpectEchoAsync(socket, gateway.Address,
            new HttpMessageInvoker(new SocketsHttpHandler { SslOptions = certificate.ClientOptions() }));

        Assert.True(epCscf.Requests.TryDequeue(out var upgrade));
        Assert.Equal(gateway.Address.Authority, upgrade.Headers["X-Forwarded-Host"]);
    }

    /// <summary>Otherwise it would wait for 30 s and then cut them off.</summary>
    [Fact]
    public async Task GatewayStops_WebSocketsEndAtOnce()
    {
        await using var epCscf = await BackendStub.StartAsync();
        epCscf.Answer = SilenceAsync;
        await using var gateway = new GatewayFactory("http://127.0.0.1:9", epCscf: epCscf.Address);
        using var socket = await ConnectAsync(gateway.Address);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);

        gateway.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ReceiveAsync(new ArraySegment<byte>(new byte[1]), limit.Token));
    }

    private static async Task<ClientWebSocket> ConnectAsync(Uri gateway)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("sip");
        await socket.ConnectAsync(new UriBuilder(gateway) { Scheme = "ws", Path = "/sip" }.Uri, Cancel);
        return socket;
    }

    private static async Task SilenceAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync("sip");
        await Record.ExceptionAsync(() => ReceiveAsync(socket));
    }

    private static async Task ExpectEchoAsync(ClientWebSocket socket, Uri gateway, HttpMessageInvoker invoker)
    {
        socket.Options.AddSubProtocol("sip");
        socket.Options.SetRequestHeader("Origin", gateway.GetLeftPart(UriPartial.Authority));
        using (invoker)
        {
            var address = new UriBuilder(gateway) { Scheme = gateway.Scheme == "https" ? "wss" : "ws", Path = "/sip" }.Uri;
            await socket.ConnectAsync(address, invoker, TestContext.Current.CancellationToken);
            Assert.Equal("sip", socket.SubProtocol);
            var sent = new byte[60_000];
            Random.Shared.NextBytes(sent);
            await socket.SendAsync(sent, WebSocketMessageType.Binary, endOfMessage: true, TestContext.Current.CancellationToken);
            Assert.Equal(sent, await ReceiveAsync(socket));
        }
    }

    [Fact]
    public async Task Directory_GoesToTheEpCscfWithItsToken_AndNothingElseOfItCanBeReached()
    {
        await using var epCscf = await BackendStub.StartAsync();
        await using var wwsf = await BackendStub.StartAsync();
        await using var gateway = new GatewayFactory(wwsf.Address, epCscf: epCscf.Address);
        using var client = new HttpClient { BaseAddress = gateway.Address };
        client.DefaultRequestHeaders.Authorization = new("Bearer", "token");

        using var directory = await client.GetAsync(new Uri("/api/directory", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, directory.StatusCode);
        Assert.True(epCscf.Requests.TryDequeue(out var request));
        Assert.Equal(("/directory", "Bearer token"), (request.Target, request.Headers["Authorization"]));

        foreach (var path in (string[])["/directory", "/sessions/s1", "/sip/x", "/api/sessions/s1"])
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
            Assert.Empty(epCscf.Requests);
        }
    }

    [Fact]
    public async Task EpCscfIsDown_TheProblemSaysSo()
    {
        await using var gateway = new GatewayFactory("http://127.0.0.1:9", epCscf: "http://127.0.0.1:9");
        using var client = new HttpClient { BaseAddress = gateway.Address };

        using var answer = await client.GetAsync(new Uri("/api/directory", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("\"ep_cscf_unavailable\"", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    private static async Task EchoAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync("sip");
        await socket.SendAsync(await ReceiveAsync(socket), WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
    }

    private static async Task<byte[]> ReceiveAsync(WebSocket socket)
    {
        var buffer = new byte[100_000];
        var length = 0;
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
            length += part.Count;
            if (part.EndOfMessage) return buffer[..length];
        }
    }
}
