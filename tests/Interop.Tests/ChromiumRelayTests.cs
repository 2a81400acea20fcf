using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>
/// Two peer connections of a real Chromium that may use nothing but relays: a data channel between them goes through this project's
/// server over the ways that the calls of <c>EndToEnd.Tests</c> do not take.
/// </summary>
public sealed class ChromiumRelayTests : IAsyncLifetime
{
    // Resolves to the transports of the two selected relay candidates once a message has gone there and back.
    private const string Script = """
        async url => {
          const configuration = { iceTransportPolicy: 'relay', iceServers: [{ urls: url, username: 'u', credential: 'p' }] };
          const [a, b] = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];
          a.onicecandidate = event => b.addIceCandidate(event.candidate);
          b.onicecandidate = event => a.addIceCandidate(event.candidate);
          b.ondatachannel = event => { event.channel.onmessage = message => event.channel.send(`back: ${message.data}`); };
          const channel = a.createDataChannel('relayed');
          const answer = new Promise((resolve, reject) => {
            channel.onopen = () => channel.send('there');
            channel.onmessage = message => resolve(message.data);
            a.onicecandidateerror = event => reject(new Error(`${event.errorCode} ${event.errorText}`));
          });
          await a.setLocalDescription();
          await b.setRemoteDescription(a.localDescription);
          await b.setLocalDescription();
          await a.setRemoteDescription(b.localDescription);
          const received = await answer;
          const used = [];
          for (const connection of [a, b]) {
            const stats = await connection.getStats();
            const transport = [...stats.values()].find(report => report.type === 'transport');
            const local = stats.get(stats.get(transport.selectedCandidatePairId).localCandidateId);
            used.push(`${local.candidateType} ${local.relayProtocol}`);
          }
          return [received, ...used];
        }
        """;

    private readonly TestCertificate _certificate = new();
    private TurnServerProcess? _server;
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        var path = Tools.Require("chromium", "chromium");
        _server = await TurnServerProcess.StartAsync(
            [("Turn__ListenAddress", "127.0.0.1,::1"), ("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"),
                .. _certificate.Settings]);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = path,
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--allow-loopback-in-peer-connection",
                $"--ignore-certificate-errors-spki-list={PublicKeyHash()}"],
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _playwright?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    [Requirement("RFC8656-3.1")]
    [Requirement("RFC7065-3.1")]
    public async Task DataChannel_GoesThroughTheRelay_OverTlsAndOverIPv6()
    {
        Assert.Equal(["back: there", "relay tls", "relay tls"], await RelayAsync($"turns:localhost:{_server!.TlsPort}?transport=tcp"));
        Assert.Equal(["back: there", "relay udp", "relay udp"], await RelayAsync($"turn:[::1]:{_server.Port}?transport=udp"));
        Assert.Equal(["back: there", "relay tcp", "relay tcp"], await RelayAsync($"turn:[::1]:{_server.Port}?transport=tcp"));
    }

    [Fact]
    public async Task SamplePage_ConnectsThroughTheRelay_AndSaysWhyItCannot()
    {
        Assert.Matches("^Received \"echo of hello\" from relay candidate ", await RunSampleAsync(password: "p"));
        Assert.Matches("^Failed: .*401", await RunSampleAsync(password: "wrong"));
    }

    private async Task<string> RunSampleAsync(string password)
    {
        var page = await _browser!.NewPageAsync();
        await page.GotoAsync(new Uri(Repository.PathOf("samples", "browser-page", "index.html")).ToString());
        await page.FillAsync("#servers", $$"""
            { "ice_servers": [{ "urls": ["turn:127.0.0.1:{{_server!.Port}}?transport=udp"], "username": "u", "credential": "{{password}}" }] }
            """);
        await page.ClickAsync("#connect");
        await Assertions.Expect(page.Locator("#result")).ToHaveTextAsync(new Regex("^(Received|Failed)"), new() { Timeout = 30_000 });
        var result = await page.TextContentAsync("#result");
        await page.CloseAsync();
        return result!;
    }

    private async Task<string[]> RelayAsync(string uri)
    {
        var page = await _browser!.NewPageAsync();
        var relayed = await page.EvaluateAsync<string[]>(Script, uri)
            .WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await page.CloseAsync();
        return relayed;
    }

    // Chromium trusts only this key.
    private string PublicKeyHash()
    {
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(_certificate.CertificateFile);
        return Convert.ToBase64String(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
    }
}
