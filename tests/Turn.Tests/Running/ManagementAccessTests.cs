using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Requests to the management port that change nothing. Those who may not send them are refused.</summary>
public sealed class ManagementAccessTests(ManagementAccessTests.Node node) : IClassFixture<ManagementAccessTests.Node>, IDisposable
{
    private readonly HttpClient _http = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _http.Dispose();

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"all":false}""")]
    [InlineData("""{"all":true,"kid":"k1"}""")]
    [InlineData("""{"token_id":"x"}""")]
    [InlineData("""{"kid":"k1","client_id":"wwsf"}""")]
    public async Task RevocationOfNothingOrOfTwoThings_Is400(string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        var answer = await _http.PostAsync(Url("/revocations"), content, Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("'kid'", await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host", "rebound.example", HttpStatusCode.Forbidden)]
    [InlineData("Host", "127.0.0.1.rebound.example:8083", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "https://example.org", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("Host", "localhost", HttpStatusCode.OK)]
    [InlineData("Sec-Fetch-Site", "none", HttpStatusCode.OK)]
    public async Task Browsers_AreKeptOut(string header, string value, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url("/allocations"));
        request.Headers.TryAddWithoutValidation(header, value);

        Assert.Equal(expected, (await _http.SendAsync(request, Cancel)).StatusCode);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data")]
    public async Task BodyThatAPageCouldSend_IsNotTaken(string type)
    {
        using var content = new StringContent("""{"kid":"k1"}""", Encoding.UTF8, type);
        var answer = await _http.PostAsync(Url("/revocations"), content, Cancel);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        await using var client = await ConnectAsync();
        await client.AllocateAsync(node.Key.Issue().Native, cancellationToken: Cancel);
    }

    /// <summary>Without its parameters a request to an endpoint is a 400, and to nothing a 404.</summary>
    [Theory]
    [InlineData("Development", HttpStatusCode.BadRequest)]
    [InlineData("Staging", HttpStatusCode.NotFound)]
    [InlineData("Production", HttpStatusCode.NotFound)]
    public async Task OpenedTokens_AreThereInDevelopmentOnly(string environment, HttpStatusCode expected)
    {
        await using var server = await TurnServerProcess.StartAsync([.. node.Key.Settings(), ("DOTNET_ENVIRONMENT", environment)]);
        var url = new Uri($"http://127.0.0.1:{server.ManagementPort}/opened-tokens");

        Assert.Equal(expected, (await _http.GetAsync(url, Cancel)).StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OtherAddresses_ShowHealthAndReadinessAlone_UnlessTheSettingSaysOtherwise(bool allow)
    {
        var address = NetworkInterface.GetAllNetworkInterfaces().SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address).FirstOrDefault(address =>
                address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        if (address is null) Assert.Skip("this machine has the loopback address alone");
        var port = FreePorts.Tcp();
        await using var server = await TurnServerProcess.StartAsync(
            [.. node.Key.Settings(), ("ASPNETCORE_URLS", $"http://{address}:{port}"), ("Turn__Management__AllowRemote", $"{allow}"),
            ("AllowedHosts", $"{address}")]);

        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri($"http://{address}:{port}/ready"), Cancel)).StatusCode);
        Assert.Equal(allow
            ? HttpStatusCode.OK
            : HttpStatusCode.NotFound, (await _http.GetAsync(new Uri($"http://{address}:{port}/allocations"), Cancel)).StatusCode);
        Assert.Equal(
            HttpStatusCode.NotFound, (await _http.DeleteAsync(new Uri($"http://{address}:{port}/allocations/0"), Cancel)).StatusCode);
    }

    [Fact]
    [Requirement("SEC-21")]
    public async Task WithoutAllowedHosts_OnlyNamesOfLoopbackAreAnswered_AndProbesByAnyName()
    {
        await using var server = await TurnServerProcess.StartAsync([.. node.Key.Settings()]);

        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync("rebound.example", "/allocations"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("localhost", "/allocations"));
        foreach (var probe in (string[])["/health", "/alive", "/ready"])
            Assert.Equal((probe, HttpStatusCode.OK), (probe, await StatusAsync("rebound.example", probe)));

        async Task<HttpStatusCode> StatusAsync(string host, string path)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{server.ManagementPort}{path}"));
            request.Headers.Host = host;
            using var answer = await _http.SendAsync(request, Cancel);
            return answer.StatusCode;
        }
    }

    [Theory, InlineData("Production"), InlineData("Development")]
    [Requirement("SEC-5")]
    public async Task Answers_HaveNoHeaderOfTheRequest(string environment)
    {
        await using var server = await TurnServerProcess.StartAsync([.. node.Key.Settings(), ("ASPNETCORE_ENVIRONMENT", environment)]);
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{server.ManagementPort}") };

        await HeaderEcho.ExpectNoneAsync(client, "/allocations/x", "/revocations", "/ready", "/nothing");
    }

    private Uri Url(string path) => new($"http://127.0.0.1:{node.Server.ManagementPort}{path}");

    private async Task<TurnClient> ConnectAsync() =>
        await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{node.Server.Port}"), cancellationToken: Cancel);

    /// <summary>A server for all tests of the class.</summary>
    public sealed class Node : IAsyncLifetime
    {
        private TurnServerProcess? _server;

        internal TokenKey Key { get; } = new("k1");

        internal TurnServerProcess Server => _server!;

        public async ValueTask InitializeAsync() => _server = await TurnServerProcess.StartAsync(
            [.. Key.Settings(), ("Turn__Workers", "2"), ("AllowedHosts", "127.0.0.1;localhost;*.example")]);

        public async ValueTask DisposeAsync()
        {
            if (_server is not null) await _server.DisposeAsync();
        }
    }
}
