using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// The options of new TLS connections: TLS 1.2 and 1.3 with ALPN <c>stun.turn</c> (RFC 7443), and the certificate that the files have
/// now. A change does not affect existing connections.
/// </summary>
internal sealed partial class TlsHandshakes(TurnSettings settings, TimeProvider time, ILogger<TlsHandshakes> logger) : BackgroundService
{
    private static readonly SslApplicationProtocol StunTurn = new("stun.turn");

    // Read, not watched: a renewed certificate often arrives as another target of a link, which no watcher of the file reports.
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(2);

    private SslServerAuthenticationOptions? _options;
    private string _fingerprint = "";
    private string? _logged;

    /// <summary>For one handshake. The settings have been validated, so the files were good at the start.</summary>
    public SslServerAuthenticationOptions Options => Volatile.Read(ref _options) ?? throw new InvalidOperationException("not started");

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        if (settings.TlsCertificate is null) return Task.CompletedTask;
        if (!TlsCertificate.TryLoad(settings.TlsCertificate, settings.TlsKey!, out var certificate, out var problem))
            throw new SettingsException(problem!);
        Offer(certificate!);
        foreach (var address in TurnSettings.Addresses(settings.ListenAddress))
            LogListening(address.ToString(), settings.TlsPort, certificate!.Leaf.NotAfter.ToUniversalTime());
        return base.StartAsync(cancellationToken);
    }

    /// <summary>Takes the files when they have changed; keeps what it has when they are of no use, and says so once.</summary>
    public void ReloadIfChanged()
    {
        if (TlsCertificate.FingerprintOfFiles(settings.TlsCertificate!, settings.TlsKey!) == _fingerprint)
        {
            _logged = null;
            return;
        }

        if (TlsCertificate.TryLoad(settings.TlsCertificate!, settings.TlsKey!, out var certificate, out var problem))
        {
            Offer(certificate!);
            LogReloaded(certificate!.Leaf.NotAfter.ToUniversalTime());
            return;
        }

        if (_logged == problem) return;
        _logged = problem;
        LogKept(problem!);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ReadInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) ReloadIfChanged();
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    private void Offer(TlsCertificate certificate)
    {
        _fingerprint = certificate.Fingerprint;
        _logged = null;
        Volatile.Write(ref _options, new SslServerAuthenticationOptions
        {
            ServerCertificateContext = certificate.Context,
            ApplicationProtocols = [StunTurn],
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CipherSuitesPolicy = Suites(),
            ClientCertificateRequired = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            AllowRenegotiation = false,
        });
    }

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

    [LoggerMessage(2, LogLevel.Information, "New TLS connections get the new certificate, until {NotAfter:u}")]
    private partial void LogReloaded(DateTime notAfter);

    [LoggerMessage(3, LogLevel.Error, "The certificate was not replaced; the old one stays. {Problem}")]
    private partial void LogKept(string problem);
}
