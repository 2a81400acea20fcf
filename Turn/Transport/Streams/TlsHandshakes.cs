using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using WebRtcIms.ServiceDefaults.Certificates;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// The options of new TLS connections: TLS 1.2 and 1.3 with ALPN <c>stun.turn</c> (RFC 7443), and the certificate that the files have
/// now. A change does not affect existing connections.
/// </summary>
internal sealed partial class TlsHandshakes(TurnSettings settings, IServiceProvider services, ILogger<TlsHandshakes> logger)
    : IHostedService
{
    private static readonly SslApplicationProtocol StunTurn = new("stun.turn");

    private WatchedCertificate? _certificate;
    private SslServerAuthenticationOptions? _options;

    /// <summary>For one handshake. The settings have been validated, so the files were good at the start.</summary>
    public SslServerAuthenticationOptions Options
    {
        get
        {
            var context = (_certificate ?? throw new InvalidOperationException("not started")).Current.Context;
            var options = Volatile.Read(ref _options);
            if (options?.ServerCertificateContext == context) return options;
            options = OptionsFor(context);
            Volatile.Write(ref _options, options);
            return options;
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (settings.TlsFiles is not { } files) return Task.CompletedTask;
        _certificate = services.GetRequiredService<CertificateWatch>().Watch(files);
        foreach (var address in TurnSettings.Addresses(settings.ListenAddress))
            LogListening(address.ToString(), settings.TlsPort, _certificate.Current.Leaf.NotAfter.ToUniversalTime());
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static SslServerAuthenticationOptions OptionsFor(SslStreamCertificateContext context) => new()
    {
        ServerCertificateContext = context,
        ApplicationProtocols = [StunTurn],
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        CipherSuitesPolicy = Suites(),
        ClientCertificateRequired = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        AllowRenegotiation = false,
    };

    // RFC 8489 §6.2.3: perfect forward secrecy, no compression, no RC4; RFC 7525: AEAD. Schannel takes its policy from the system.
    private static CipherSuitesPolicy? Suites() => OperatingSystem.IsWindows() ? null : new CipherSuitesPolicy(
    [
        TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    ]);

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Address} port {Port}, TLS, with a certificate until {NotAfter:u}")]
    private partial void LogListening(string address, int port, DateTime notAfter);
}
