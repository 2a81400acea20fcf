using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Every cipher suite that the server offers, with the kind of certificate that it is for.</summary>
public sealed class TlsSuiteTests
{
    private static readonly TlsCipherSuite[] OfTls13 =
        [TlsCipherSuite.TLS_AES_128_GCM_SHA256, TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256];

    private static readonly TlsCipherSuite[] OfRsa =
    [
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];

    private static readonly TlsCipherSuite[] OfEcdsa =
    [
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC8489-6.2.3")]
    [Requirement("TURN-A17")]
    public async Task EverySuiteOfACertificate_IsTaken_AndThoseOfAnotherKindAreNot(bool isEcdsa)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Schannel takes its suites from the system");
        using var certificate = new TestCertificate(isEcdsa);
        await using var server = await TurnServerProcess.StartAsync(
            [("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"), .. certificate.Settings]);

        foreach (var suite in OfTls13) Assert.Equal(suite, await NegotiateAsync(server, certificate, SslProtocols.Tls13, suite));
        foreach (var suite in isEcdsa ? OfEcdsa : OfRsa)
            Assert.Equal(suite, await NegotiateAsync(server, certificate, SslProtocols.Tls12, suite));
        // .NET gives OpenSSL no group for DHE (docs/conformance.md, TURN-A17).
        foreach (var suite in (isEcdsa ? OfRsa : OfEcdsa).Append(TlsCipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256))
        {
            await Assert.ThrowsAsync<AuthenticationException>(
                () => NegotiateAsync(server, certificate, SslProtocols.Tls12, suite));
        }
    }

    private static async Task<TlsCipherSuite> NegotiateAsync(
        TurnServerProcess server, TestCertificate certificate, SslProtocols version, TlsCipherSuite suite)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.TlsPort, TestContext.Current.CancellationToken);
        await using var tls = new SslStream(client.GetStream());
        var options = certificate.ClientOptions("stun.turn");
        options.EnabledSslProtocols = version;
        options.CipherSuitesPolicy = OperatingSystem.IsWindows() ? null : new CipherSuitesPolicy([suite]);
        await tls.AuthenticateAsClientAsync(options, TestContext.Current.CancellationToken);
        return tls.NegotiatedCipherSuite;
    }
}
