using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Servers;

[assembly: AssemblyFixture(typeof(Coturn))]

namespace WebRtcIms.Turn.Client.Tests.Servers;

/// <summary>
/// Two instances of coturn, the reference for the client. One accepts a password over UDP, TCP and TLS. The other also accepts
/// tokens. Each starts with the first test that needs it.
/// </summary>
public sealed class Coturn : IAsyncDisposable
{
    public const string User = "carol";
    public const string Password = "carol-calls-dave";
    public const string KeyId = "k1";

    private const string Realm = "coturn.example";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coturn-");
    private readonly X509Certificate2 _certificate = MakeCertificate();
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly int _tlsPort = FreePorts.TcpAndUdp();
    private readonly SemaphoreSlim _starting = new(1, 1);
    private CoturnProcess? _passwords;
    private CoturnProcess? _tokens;

    public TurnUri Tls => TurnUri.Parse($"turns:127.0.0.1:{_tlsPort}");

    /// <summary>Trusts only the certificate of this server.</summary>
    public SslClientAuthenticationOptions TlsOptions => new()
    {
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { _certificate },
            RevocationMode = X509RevocationMode.NoCheck,
        },
    };

    internal Task<CoturnProcess> WithPasswordsAsync() => OnceAsync(() => _passwords, started => _passwords = started, async () =>
    {
        var certificate = Path.Combine(_folder.FullName, "cert.pem");
        var key = Path.Combine(_folder.FullName, "key.pem");
        await File.WriteAllTextAsync(certificate, _certificate.ExportCertificatePem());
        using var privateKey = _certificate.GetECDsaPrivateKey();
        await File.WriteAllTextAsync(key, privateKey!.ExportPkcs8PrivateKeyPem());
        return await CoturnProcess.StartAsync(
            Realm, $"--user={User}:{Password}", $"--tls-listening-port={_tlsPort}", $"--cert={certificate}", $"--pkey={key}", "--no-dtls");
    });

    internal Task<CoturnProcess> WithTokensAsync() => OnceAsync(
        () => _tokens, started => _tokens = started, () =>
            CoturnProcess.StartWithTokensAsync(Realm, Tokens.ServerName, KeyId, _key, "--no-tls", "--no-dtls"));

    /// <summary>
    /// A token for <see cref="WithTokensAsync"/>. coturn 4.6 keys its HMAC with the first 16 octets of mac_key, against
    /// RFC 7635 §7; HMAC pads a short key with zeros, so a mac_key with four zeros at the end is the same key for both.
    /// </summary>
    internal IssuedToken IssueToken(uint lifetimeSeconds = 600) =>
        Tokens.Issue(KeyId, _key, [.. RandomNumberGenerator.GetBytes(16), 0, 0, 0, 0], lifetimeSeconds);

    public async ValueTask DisposeAsync()
    {
        if (_passwords is not null) await _passwords.DisposeAsync();
        if (_tokens is not null) await _tokens.DisposeAsync();
        _starting.Dispose();
        _certificate.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<CoturnProcess> OnceAsync(Func<CoturnProcess?> started, Action<CoturnProcess> keep, Func<Task<CoturnProcess>> start)
    {
        await _starting.WaitAsync();
        try
        {
            if (started() is { } running) return running;
            var process = await start();
            keep(process);
            return process;
        }
        finally
        {
            _starting.Release();
        }
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=coturn in a test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddHours(-1), now.AddDays(1));
    }
}
