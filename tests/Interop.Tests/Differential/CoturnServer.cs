using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Differential;

/// <summary>Debian's coturn with the same users and the same long-term key, on a port of its own.</summary>
internal sealed class CoturnServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coturn-");
    private readonly Process _process = new();

    public int Port { get; } = FreePorts.TcpAndUdp();

    public static async Task<CoturnServer> StartAsync(CancellationToken cancel)
    {
        var program = Tools.Require("turnserver", "coturn");
        var server = new CoturnServer();
        try
        {
            await server.LaunchAsync(program, cancel);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task LaunchAsync(string program, CancellationToken cancel)
    {
        var database = Path.Combine(_folder.FullName, "oauth.db");
        await CreateDatabaseAsync(database, cancel);
        _process.StartInfo = new ProcessStartInfo(program,
        [
            "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", $"--listening-port={Port.ToString(CultureInfo.InvariantCulture)}", "--lt-cred-mech",
            $"--realm={RawClient.Realm}", "--user=u:p", "--user=u2:p", "--oauth", $"--server-name={Cases.ServerName}", $"--userdb={database}",
            "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", "--log-file=/dev/null", $"--pidfile={Path.Combine(_folder.FullName, "pid")}",
        ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
        };
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (!await AcceptsAsync(limit.Token))
        {
            if (_process.HasExited) Assert.Fail("coturn has ended");
            await Task.Delay(20, limit.Token);
        }
    }

    private async Task<bool> AcceptsAsync(CancellationToken cancel)
    {
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync("127.0.0.1", Port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task CreateDatabaseAsync(string path, CancellationToken cancel)
    {
        await using var database = new SqliteConnection($"Data Source={path};Pooling=False");
        await database.OpenAsync(cancel);
        await using var command = database.CreateCommand();
        command.CommandText = """
            CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint default 0, lifetime integer default 0,
                as_rs_alg varchar(64) default '', realm varchar(127) default '', PRIMARY KEY (kid));
            INSERT INTO oauth_key (kid, ikm_key, as_rs_alg) VALUES ($kid, $key, 'A256GCM');
            """;
        command.Parameters.AddWithValue("$kid", Cases.KeyId);
        command.Parameters.AddWithValue("$key", Convert.ToBase64String(Cases.LongTermKey));
        await command.ExecuteNonQueryAsync(cancel);
    }
}
