using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using WebRtcIms.AppHost;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Systemd;

/// <summary>
/// docs/deployment.md, "One machine with systemd", followed step by step up to a call: the script, PostgreSQL, redis-server, a
/// certificate, and the six parts as their units start them. Only ports and addresses are others.
/// </summary>
public sealed partial class InstallationTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Installation _installation = new();
    private readonly TestCertificate _certificate = new();
    private readonly Dictionary<string, UnitProcess> _parts = [];

    // The ports of the files, and those of this test.
    private readonly Dictionary<string, int> _ports = new()
    {
        ["443"] = FreePorts.Tcp(),
        ["3478"] = FreePorts.TcpAndUdp(),
        ["4318"] = FreePorts.Tcp(),
        ["8081"] = FreePorts.Tcp(),
        ["8082"] = FreePorts.Tcp(),
        ["8083"] = FreePorts.Tcp(),
        ["8084"] = FreePorts.Tcp(),
        ["8085"] = FreePorts.Tcp(),
    };

    private RedisServer _redis = null!;
    private PostgresServer _postgres = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Origin => string.Create(CultureInfo.InvariantCulture, $"https://localhost:{_ports["443"]}");

    public async ValueTask InitializeAsync()
    {
        Tools.Require("redis-cli", "redis-tools");
        Tools.Require("psql", "postgresql-client");
        _redis = await RedisServer.StartAsync();
        _postgres = await PostgresServer.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _parts.Values) await part.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
        _certificate.Dispose();
        _installation.Dispose();
    }

    [Fact]
    public async Task InstalledParts_CarryACall_AndEndWhenTheyAreStopped()
    {
        _installation.PublishBuilt();
        await _installation.InstallAsync(Origin);
        File.Copy(_certificate.CertificateFile, _installation.PathOf("/var/lib/webrtcims/tls/fullchain.pem"));
        File.Copy(_certificate.KeyFile, _installation.PathOf("/var/lib/webrtcims/tls/privkey.pem"));
        await _installation.GiveToPartsAsync();
        await PrepareStoresAsync();

        // systemd starts all units of the target at once.
        await Task.WhenAll(Parts.Projects.Keys.Select(StartAsync));

        using var handler = new HttpClientHandler
        {
            CookieContainer = new CookieContainer(),
            ServerCertificateCustomValidationCallback = (_, certificate, _, _) => _certificate.Trusts(certificate),
        };
        using var http = new HttpClient(handler) { BaseAddress = new Uri(Origin) };
        foreach (var port in (string[])["8081", "8082", "8083", "8084", "4318"])
            await UntilHealthyAsync(http, $"http://localhost:{_ports[port]}");
        await UntilHealthyAsync(http, Origin);

        var call = new GuestCall(http);
        await call.PlaceAsync(Cancel);

        Assert.Contains(call.Steps, step => step.Name.StartsWith("Echo through both relays", StringComparison.Ordinal));
        Assert.NotEmpty(Directory.GetFiles(_installation.PathOf("/var/lib/webrtcims/wwsf/keys")));
        foreach (var (part, process) in _parts) Assert.True(await process.EndAsync("TERM") == 0, $"{part}:\n{process.Output}");
    }

    private async Task StartAsync(string part)
    {
        var process = await UnitProcess.StartAsync(_installation, part, Adapt);
        lock (_parts) _parts[part] = process;
    }

    // As the document says, with the port of each server.
    private async Task PrepareStoresAsync()
    {
        var postgres = await Command.RunAsync(
            "psql",
            [
                "-h", "127.0.0.1", "-p", PortOf(_postgres.ConnectionString("postgres")), "-U", "postgres", "-v", "ON_ERROR_STOP=1",
                "-f", _installation.PathOf("/etc/webrtcims/postgres.sql"),
            ]);
        Assert.True(postgres.ExitCode == 0, postgres.Output);

        // There is no file that CONFIG REWRITE could write.
        var commands = _installation.PathOf("/etc/webrtcims/redis.txt");
        var redis = await Command.RunAsync("sh", ["-c", $"redis-cli -p {_redis.Address.Split(':')[1]} <'{commands}'"]);
        Assert.StartsWith("OK", redis.Output, StringComparison.Ordinal);
    }

    private static string PortOf(string connectionString) => PostgresPort().Match(connectionString).Groups[1].Value;

    private string Adapt(string value)
    {
        var postgres = $"Host=127.0.0.1;Port={PortOf(_postgres.ConnectionString("postgres"))};";
        value = value.Replace("127.0.0.1:6379", _redis.Address, StringComparison.Ordinal)
            .Replace("Host=127.0.0.1;", postgres, StringComparison.Ordinal)
            .Replace("0.0.0.0,::", "127.0.0.1", StringComparison.Ordinal)
            .Replace("[::]", "127.0.0.1", StringComparison.Ordinal)
            .Replace("/var/lib/webrtcims/", _installation.PathOf("/var/lib/webrtcims/"), StringComparison.Ordinal);
        return Port().Replace(value, port =>
            _ports.TryGetValue(port.Value, out var free) ? free.ToString(CultureInfo.InvariantCulture) : port.Value);
    }

    private static async Task UntilHealthyAsync(HttpClient http, string address)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        while (true)
        {
            using var response = await http.GetAsync(new Uri($"{address}/health"), limit.Token);
            if (response.IsSuccessStatusCode) return;
            await Task.Delay(50, limit.Token);
        }
    }

    [GeneratedRegex(@"Port=(\d+)")]
    private static partial Regex PostgresPort();

    [GeneratedRegex(@"(?<=^|:)\d{3,5}(?=$|[/,;?])")]
    private static partial Regex Port();
}
