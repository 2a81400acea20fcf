using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// The system in its own process, and a phone in the same network. 127.0.0.2 represents the address that other machines use.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed partial class PublicAddressTests(PublicAddressTests.PublicHost started) : IClassFixture<PublicAddressTests.PublicHost>
{
    private const string Address = "127.0.0.2";

    [Fact]
    [Requirement("EXP-47")]
    public async Task PhoneThatReadsTheCode_CallsTheDesk_ThroughTheRelayAtThePublicAddress()
    {
        var host = started.Host;
        var page = new Uri(Invitation().Match(host.Output).Groups[1].Value);
        Assert.Equal(Address, page.Host);
        Assert.Equal($"{page.GetLeftPart(UriPartial.Authority)}", PrintedCode.Read(host.Output.Split('\n')));

        // The browser warns about the certificate. The test trusts it by the fingerprint that is printed next to the code.
        using var certificate = await CertificateAtAsync(page, Hex(Fingerprint().Match(host.Output).Value));
        Assert.True(certificate.MatchesHostname(Address));
        var pin = Convert.ToBase64String(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
        await using var chromium = await Chromium.StartAsync($"--ignore-certificate-errors-spki-list={pin}");

        await using var desk = await chromium.OpenAsync(new Uri(Loopback().Match(host.Output).Groups[1].Value));
        await desk.LogInAsync(DemoUser.Name, DemoUser.Password);
        await desk.WaitUntilOnlineAsync();
        await using var phone =
            await chromium.OpenAsync(page, new() { ViewportSize = new() { Width = 390, Height = 844 }, IsMobile = true, HasTouch = true });
        await phone.ContinueAsGuestAsync();
        await phone.WaitUntilOnlineAsync();
        await phone.DialAsync(DemoUser.Name);
        await desk.AcceptAsync(await phone.TextAsync("own-name"));

        foreach (var wic in new[] { phone, desk })
        {
            await wic.ExpectInCallAsync();
            await wic.WaitForMediaAsync();
            Assert.Equal("relay", await wic.TextAsync("local-candidate-type"));
            Assert.Equal("relay", await wic.TextAsync("remote-candidate-type"));
            Assert.Matches(@"^127\.0\.0\.2:\d+$", await wic.TextAsync("relay-candidate"));
        }
        await phone.KeepAsync("phone-in-the-room");

        var cookies = await phone.Page.Context.CookiesAsync([page.ToString()]);
        Assert.Contains(cookies, cookie => cookie.Name == "__Host-wwsf-session");
        Assert.All(cookies, cookie => Assert.True(cookie.Secure, cookie.Name));

        await phone.HangUpAsync();
        await desk.ExpectIdleAsync();
    }

    [Fact]
    public async Task OnlyTheGatewayAndTheRelay_ArePublic()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads the listening sockets from /proc");
        var host = started.Host;
        var page = new Uri(Invitation().Match(host.Output).Groups[1].Value);
        var turn = started.TurnPort;

        Assert.Equal(
            [("tcp", page.Port), ("tcp", turn), ("udp", turn)],
            from port in OpenPorts.Of(HostProcess.Family(started.Folder))
            where !IsLoopback(port.At)
            orderby port.Protocol, port.At.Port != page.Port
            select (port.Protocol, port.At.Port));
    }

    [Fact]
    public async Task WithoutIt_NothingIsPublic()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads the listening sockets from /proc");
        var folder = Directory.CreateTempSubdirectory("webrtcims-");
        await using (var host = await StartAsync(folder))
        {
            var ports = OpenPorts.Of(HostProcess.Family(folder));
            Assert.Contains(ports, port => port.Protocol == "udp");
            Assert.All(ports, port => Assert.True(IsLoopback(port.At), $"{port}"));
            Assert.DoesNotMatch(Invitation(), host.Output);
        }
        folder.Delete(recursive: true);
    }

    private static bool IsLoopback(IPEndPoint at) => at.Address.Equals(IPAddress.Loopback) || at.Address.Equals(IPAddress.IPv6Loopback);

    private static async Task<HostProcess> StartAsync(DirectoryInfo folder, params string[] arguments)
    {
        var host = HostProcess.Start(typeof(Projects.AppHost).Assembly, folder, [$"--data-directory={folder.FullName}", .. arguments]);
        await host.UntilAsync("is up: open");
        return host;
    }

    private static async Task<X509Certificate2> CertificateAtAsync(Uri page, string fingerprint)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(page.Host, page.Port);
        await using var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = page.Host,
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.GetCertHashString(HashAlgorithmName.SHA256) == fingerprint,
        });
        return X509CertificateLoader.LoadCertificate(tls.RemoteCertificate!.GetRawCertData());
    }

    [GeneratedRegex(@"On a phone in the room: (https://\S+)")]
    private static partial Regex Invitation();

    private static string Hex(string printed) => string.Concat(printed.Where(char.IsAsciiHexDigitUpper));

    // In pairs, as phones show it.
    [GeneratedRegex(@"(?<=fingerprint:\s+)(?:[0-9A-F]{2}\s+){31}[0-9A-F]{2}")]
    private static partial Regex Fingerprint();

    [GeneratedRegex(@"is up: open (http://localhost:\d+)")]
    private static partial Regex Loopback();

    /// <summary>The system with a public address, shared by all tests of this class.</summary>
    public sealed class PublicHost : IAsyncLifetime
    {
        private HostProcess? _host;

        /// <summary>The folder for its data and its user secrets.</summary>
        public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("webrtcims-");

        public int TurnPort { get; } = FreePorts.TcpAndUdp();

        public HostProcess Host => _host ?? throw new InvalidOperationException("not started");

        public async ValueTask InitializeAsync()
        {
            _host = await StartAsync(
                Folder, $"--Parameters:public-address={Address}", string.Create(CultureInfo.InvariantCulture, $"--turn-port={TurnPort}"));
            await _host.UntilAsync("Compare it with the certificate");
        }

        public async ValueTask DisposeAsync()
        {
            if (_host is not null) await _host.DisposeAsync();
            Folder.Delete(recursive: true);
        }
    }
}
