using System.Net;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests.Proxies;

/// <summary>
/// The gateway with the real WWSF, eP-CSCF and FlowView, behind nginx and HAProxy. Clients have addresses of loopback. The proxies
/// connect from 127.0.0.1, which is the only proxy that the gateway knows.
/// </summary>
public sealed class ProxiedSystem : IAsyncDisposable
{
    public const string Host = "phone.example.com";
    public const string FlowToken = "a-token-of-at-least-32-characters";

    private const string SessionsKey = "the-key-that-wwsf-and-epcscf-share";

    private readonly TestCertificate _certificate = new();
    private readonly List<IAsyncDisposable> _parts = [];
    private readonly Dictionary<string, int> _ports = new() { ["nginx"] = FreePorts.Tcp(), ["haproxy"] = FreePorts.Tcp() };
    private GatewayFactory? _gateway;
    private string _flowView = "";

    public Uri Gateway => _gateway!.Address;

    /// <summary>Starts everything before the first test. Without the proxies, the tests are skipped.</summary>
    public async Task StartAsync()
    {
        Tools.Require("nginx", "nginx");
        Tools.Require("haproxy", "haproxy");
        if (_parts.Count > 0) return;
        var epCscf = await StartAsync("EpCscf",
            ("EpCscf__TokenKeys__0__Kid", "r1"), ("EpCscf__TokenKeys__0__Key", Convert.ToBase64String(new byte[32])),
            ("EpCscf__SessionsKeys__0", SessionsKey), ("EpCscf__Pools__0__Name", "guest"), ("EpCscf__Pools__0__Size", "3"),
            ("EpCscf__Pools__0__DisplayName", "Guest"), ("EpCscf__Pools__0__AllowedWafs__0", "waf.webrtcims.local"),
            ("EpCscf__Pools__0__AllowedWwsfs__0", "wwsf"));
        var wwsf = await StartAsync("Wwsf",
            ("Wwsf__Waf__ClientSecret", "0123456789abcdef0123456789abcdef"), ("Wwsf__TurnUris__0", "turn:turn.example.com"),
            ("Wwsf__EpCscf__SessionsKey", SessionsKey), ("Wwsf__PublicOrigin__0", Origin("nginx")),
            ("Wwsf__PublicOrigin__1", Origin("haproxy")), ("Wwsf__Limits__AnonymousSessionsPerMinute", "1"),
            ("services__waf__http__0", "http://127.0.0.1:9"), ("services__ep-cscf__http__0", epCscf),
            ("ConnectionStrings__wwsf", "Data Source=wwsf.db"));
        _flowView = await StartAsync("FlowView");
        _gateway = new GatewayFactory(wwsf, epCscf: epCscf) { FlowView = _flowView }
            .With("AllowedHosts", Host).With("WicWeb:KnownProxies:0", "127.0.0.1")
            .With("WicWeb:Flow", "Token").With("WicWeb:FlowToken", FlowToken);
        _parts.Add(await ReverseProxy.StartNginxAsync(_ports["nginx"], _gateway.Address, _certificate));
        _parts.Add(await ReverseProxy.StartHaproxyAsync(_ports["haproxy"], _gateway.Address, _certificate));
    }

    public async ValueTask DisposeAsync()
    {
        _parts.Reverse();
        foreach (var part in _parts) await part.DisposeAsync();
        if (_gateway is not null) await _gateway.DisposeAsync();
        _certificate.Dispose();
    }

    /// <summary>The page's origin behind a proxy. Its port is not the default one.</summary>
    public string Origin(string proxy) => $"https://{Host}:{_ports[proxy]}";

    /// <summary>Sends a span to FlowView, which is a change of a trace.</summary>
    public async Task SendSpanAsync(string trace)
    {
        using var client = new HttpClient();
        using var body = new StringContent(
            $$"""{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"{{trace}}","spanId":"0102030405060708","name":"x"}]}]}]}""",
            null, "application/json");
        using var answer = await client.PostAsync(new Uri($"{_flowView}/v1/traces"), body, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    /// <summary>A client with an address of its own, behind a proxy.</summary>
    public HttpClient Client(string proxy, string address, Version? version = null) => new(Handler(address, _ports[proxy]))
    {
        BaseAddress = new Uri(Origin(proxy)),
        DefaultRequestVersion = version ?? HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    /// <summary>A client with an address of its own that connects to the gateway itself.</summary>
    public HttpClient DirectClient(string address)
    {
        var client = new HttpClient(Handler(address, Gateway.Port)) { BaseAddress = Gateway };
        client.DefaultRequestHeaders.Host = Host;
        return client;
    }

    public SocketsHttpHandler Handler(string address, int port) => new()
    {
        UseCookies = false,
        SslOptions = _certificate.ClientOptions(),
        ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
            await socket.ConnectAsync(IPAddress.Loopback, port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        },
    };

    public SocketsHttpHandler Handler(string address, string proxy) => Handler(address, _ports[proxy]);

    private async Task<string> StartAsync(string part, params (string Name, string Value)[] settings)
    {
        var service = await ServiceProcess.StartAsync(part, settings);
        _parts.Add(service);
        return service.Address;
    }
}
