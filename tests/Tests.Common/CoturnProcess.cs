using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Tests.Common;

/// <summary>Debian's coturn on a free port of the loopback address, with long-term credentials.</summary>
public sealed class CoturnProcess : ServerProcess
{
    private readonly DirectoryInfo _folder;

    private CoturnProcess(ProcessStartInfo start, DirectoryInfo folder)
        : base(start) => _folder = folder;

    public int Port { get; private init; }

    /// <summary>Starts coturn and waits until it accepts connections and answers datagrams.</summary>
    public static Task<CoturnProcess> StartAsync(string realm, params string[] options) => StartAsync(realm, null, options);

    /// <summary>Starts a server that also accepts tokens (RFC 7635), under a 32-octet key for A256GCM.</summary>
    public static Task<CoturnProcess> StartWithTokensAsync(
        string realm, string serverName, string kid, byte[] key, params string[] options) =>
        StartAsync(realm, path => CreateKeysAsync(path, kid, key), [.. options, "--oauth", $"--server-name={serverName}"]);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static async Task<CoturnProcess> StartAsync(string realm, Func<string, Task>? createDatabase, string[] options)
    {
        var program = Tools.Require("turnserver", "coturn");
        var folder = Directory.CreateTempSubdirectory("coturn-");
        var database = Path.Combine(folder.FullName, "coturn.db");
        if (createDatabase is not null) await createDatabase(database);

        var port = FreePorts.TcpAndUdp();
        var start = new ProcessStartInfo(program,
        [
            "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", $"--listening-port={port.ToString(CultureInfo.InvariantCulture)}",
            "--lt-cred-mech", $"--realm={realm}", "--allow-loopback-peers", "--no-cli", "--log-file=stdout",
            $"--userdb={database}", $"--pidfile={Path.Combine(folder.FullName, "pid")}", .. options,
        ])
        {
            WorkingDirectory = folder.FullName,
        };
        var server = new CoturnProcess(start, folder) { Port = port };
        await server.UntilUpAsync(async cancel => await AcceptsAsync(port, cancel) && await AnswersAsync(port, cancel));
        return server;
    }

    // coturn opens its UDP port after the TCP port.
    private static async Task<bool> AnswersAsync(int port, CancellationToken cancel)
    {
        using var socket = new UdpClient(0, AddressFamily.InterNetwork);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(TimeSpan.FromMilliseconds(200));
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            await socket.SendAsync(StunRequest.Plain(StunMethod.Binding), patience.Token);
            await socket.ReceiveAsync(patience.Token);
            return true;
        }
        catch (Exception error) when (error is SocketException || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
    }

    private static async Task CreateKeysAsync(string path, string kid, byte[] key)
    {
        await using var database = new SqliteConnection($"Data Source={path};Pooling=False");
        await database.OpenAsync();
        await using var command = database.CreateCommand();
        command.CommandText = """
            CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint default 0, lifetime integer default 0,
                as_rs_alg varchar(64) default '', realm varchar(127) default '', PRIMARY KEY (kid));
            INSERT INTO oauth_key (kid, ikm_key, as_rs_alg) VALUES ($kid, $key, 'A256GCM');
            """;
        command.Parameters.AddWithValue("$kid", kid);
        command.Parameters.AddWithValue("$key", Convert.ToBase64String(key));
        await command.ExecuteNonQueryAsync();
    }
}
