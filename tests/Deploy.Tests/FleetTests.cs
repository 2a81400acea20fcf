using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text.Json;
using k8s.Models;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Deploy.Tests;

/// <summary>
/// The parts start outside Development with the environment of the manifests, answer the probes, know each other's certificates, and work
/// together.
/// </summary>
public sealed class FleetTests(Fleet fleet) : IClassFixture<Fleet>
{
    private const string Host = "phone.example.com";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The fixture waits for all probes.</summary>
    [Fact]
    public void EveryPart_AnswersItsProbes() => Assert.All(fleet.Processes, part => Assert.False(part.HasExited, part.Output));

    [Fact]
    public async Task EveryPart_ServesMetrics_AlsoThatOfTheAutoscaler()
    {
        using var http = new HttpClient();
        foreach (var part in fleet.Processes)
        {
            var port = fleet.PortOf(part.Part, "9464");
            var metrics = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), Cancel);
            Assert.Contains("# TYPE ", metrics, StringComparison.Ordinal);
            if (part.Part != "turn") continue;
            var scaled = fleet.Variant.All<V2HorizontalPodAutoscaler>().Single(each => each.Name() == "turn");
            Assert.Contains($"# TYPE {Assert.Single(scaled.Spec.Metrics).Pods.Metric.Name} gauge\n", metrics, StringComparison.Ordinal);
        }
    }

    /// <summary>Gateway, WWSF, WAF and TURN: the token of a guest makes an allocation.</summary>
    [Fact]
    public async Task Guest_AllocatesWithTheTokenThatTheGatewayReturns()
    {
        using var http = new HttpClient(Gateway()) { BaseAddress = new Uri($"https://{Host}/") };
        await PostAsync(http, "api/session/anonymous", until: HttpStatusCode.OK);
        var token = JsonElement.Parse(await PostAsync(http, "api/turn-token", until: HttpStatusCode.OK));

        var uris = token.GetProperty("uris").EnumerateArray().Select(uri => uri.GetString()!).ToList();
        Assert.Equal(3, uris.Count);
        await using var client = await TurnClient.ConnectAsync(TurnUri.Parse(uris[0]), cancellationToken: Cancel);
        await using var allocation = await client.AllocateAsync(
            TurnCredential.AccessToken(
                token.GetProperty("kid").GetString()!, token.GetProperty("access_token").GetBytesFromBase64(),
                token.GetProperty("key").GetBytesFromBase64()),
            cancellationToken: Cancel);
        Assert.Equal(IPAddress.Loopback, allocation.RelayedAddress.Address);
    }

    [Fact]
    public async Task WebSocket_ReachesTheEpCscfThroughTheGateway()
    {
        using var invoker = new HttpMessageInvoker(Gateway());
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("sip");
        socket.Options.SetRequestHeader("Origin", $"https://{Host}");
        await socket.ConnectAsync(new Uri($"wss://{Host}/sip"), invoker, Cancel);

        Assert.Equal(("sip", WebSocketState.Open), (socket.SubProtocol, socket.State));
    }

    /// <summary>As a browser: the name of the page leads to the gateway.</summary>
    private SocketsHttpHandler Gateway() => new()
    {
        SslOptions = { RemoteCertificateValidationCallback = fleet.IsCertificateOfTheTests },
        ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, fleet.PortOf("wic-web", "8443"), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        },
    };

    // The WWSF registers itself at the WAF when both are up.
    private async Task<string> PostAsync(HttpClient http, string path, HttpStatusCode until)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        while (true)
        {
            var session = JsonElement.Parse(await http.GetStringAsync(new Uri("api/session", UriKind.Relative), Cancel));
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(new { }) };
            request.Headers.Add("X-XSRF-TOKEN", session.GetProperty("antiforgery_token").GetString());
            using var answer = await http.SendAsync(request, Cancel);
            var text = await answer.Content.ReadAsStringAsync(Cancel);
            if (answer.StatusCode == until) return text;
            if (limit.IsCancellationRequested) Assert.Fail($"{path}: {text}\n{fleet.PartOf("wwsf").Output}\n{fleet.PartOf("waf").Output}");
            await Task.Delay(TimeSpan.FromMilliseconds(200), Cancel);
        }
    }
}
