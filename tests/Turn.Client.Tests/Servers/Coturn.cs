using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Data.Sqlite;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Tests.Servers;

[assembly: AssemblyFixture(typeof(Coturn))]

namespace WebRtcIms.Turn.Client.Tests.Servers;

/// <summary>
/// Two of coturn, the reference that the client is measured against: one takes a password, over UDP, TCP and TLS; the other
/// takes tokens too. Each starts with the first test that asks for it.
/// </summary>
public sealed class Coturn : IAsyncDisposable
{
    public const string User = "carol";
    public const string Password = "carol-calls-dave";
    public const string KeyId = "k1";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coturn-");
    private readonly X509Certificate2 _certificate = MakeCertificate();
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly int _tlsPort = FreePorts.TcpAndUdp();
    private readonly SemaphoreSlim _starting = new(1, 1);
    private ServerProcess? _passwords;
    private ServerProcess? _tokens;

    public TurnUri Tls => TurnUri.Parse($"turns:127.0.0.1:{_tlsPort}");

    /// <summary>Trusts the certificate of this server alone.</summary>
    public SslClientAuthenticationOptions TlsOptions => new()
    {
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { _certificate },
            RevocationMode = X509RevocationMode.NoCheck,
        },
    };

    internal async Task<ServerProcess> WithPasswordsAsync()
    {
        var certificate = Path.Combine(_folder.FullName, "cert.pem");
        var key = Path.Combine(_folder.FullName, "key.pem");
        return await OnceAsync(() => _passwords, started => _passwords = started, async () =>
        {
            await File.WriteAllTextAsync(certificate, _certificate.ExportCertificatePem());
            using var privateKey = _certificate.GetECDsaPrivateKey();
            await File.WriteAllTextAsync(key, privateKey!.ExportPkcs8PrivateKeyPem());
            return
            [
                $"--user={User}:{Password}", $"--tls-listening-port={_tlsPort}", $"--cert={certificate}", $"--pkey={key}", "--no-dtls",
                $"--userdb={Path.Combine(_folder.FullName, "none.db")}",
            ];
        });
    }

    internal async Task<ServerProcess> WithTokensAsync()
    {
        var database = Path.Combine(_folder.FullName, "oauth.db");
        return await OnceAsync(() => _tokens, started => _tokens = started, async () =>
        {
            await CreateDatabaseAsync(database);
            return ["--oauth", $"--server-name={Tokens.ServerName}", $"--userdb={database}", "--no-tls", "--no-dtls"];
        });
    }

    /// <summary>
    /// A token for <see cref="WithTokensAsync"/>. coturn 4.6 keys its HMAC with the first 16 octets of mac_key, against
    /// RFC 7635 §7; HMAC fills a short key up with zeros, so a mac_key with four zeros at the end means the same to both.
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

    private async Task<ServerProcess> OnceAsync(Func<ServerProcess?> started, Action<ServerProcess> keep, Func<Task<string[]>> arguments)
    {
        await _starting.WaitAsync();
        try
        {
            if (started() is { } running) return running;
            var process = await StartAsync(await arguments());
            keep(process);
            return process;
        }
        finally
        {
            _starting.Release();
        }
    }

    private async Task<ServerProcess> StartAsync(string[] arguments)
    {
        var port = FreePorts.TcpAndUdp();
        return await ServerProcess.StartAsync(
            new ProcessStartInfo(Tools.Require("turnserver", "coturn"),
            [
                "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", $"--listening-port={port.ToString(CultureInfo.InvariantCulture)}",
                "--lt-cred-mech", "--realm=coturn.example", "--allow-loopback-peers", "--no-cli", "--log-file=stdout",
                $"--pidfile={Path.Combine(_folder.FullName, $"{port}.pid")}", .. arguments,
            ])
            {
                WorkingDirectory = _folder.FullName,
            },
            port);
    }

    private async Task CreateDatabaseAsync(string path)
    {
        await using var database = new SqliteConnection($"Data Source={path};Pooling=False");
        await database.OpenAsync();
        await using var command = database.CreateCommand();
        command.CommandText = """
            CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint default 0, lifetime integer default 0,
                as_rs_alg varchar(64) default '', realm varchar(127) default '', PRIMARY KEY (kid));
            INSERT INTO oauth_key (kid, ikm_key, as_rs_alg) VALUES ($kid, $key, 'A256GCM');
            """;
        command.Parameters.AddWithValue("$kid", KeyId);
        command.Parameters.AddWithValue("$key", Convert.ToBase64String(_key));
        await command.ExecuteNonQueryAsync();
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
