using System.Diagnostics;
using System.Net.Sockets;
using StackExchange.Redis;

namespace WebRtcIms.Tests.Common;

/// <summary>A real redis-server on a free port of this machine. It stores nothing by itself, and finds nothing stored.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    private readonly int _port;

    // Its own, because a server that has a replica writes a file for it, and each server loads the file that it finds at its start.
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("redis-tests-");
    private Process? _process;

    private RedisServer(int port) => _port = port;

    /// <summary>The value for <c>ConnectionStrings:redis</c>.</summary>
    public string Address => $"127.0.0.1:{_port}";

    /// <summary>Returns when the server answers.</summary>
    public static async Task<RedisServer> StartAsync(params string[] options)
    {
        var server = new RedisServer(FreePorts.Tcp());
        await server.RestartAsync(options);
        return server;
    }

    /// <summary>Restarts the server at the same address, without data.</summary>
    public async Task RestartAsync(params string[] options)
    {
        File.Delete(Path.Combine(_folder.FullName, "dump.rdb"));
        Launch(options);
        using var limit = new CancellationTokenSource(StartLimit);
        while (!await AnswersAsync(limit.Token))
        {
            if (_process!.HasExited) Assert.Fail($"redis-server ended with code {_process.ExitCode}");
            await Task.Delay(20, limit.Token);
        }
    }

    /// <summary>Starts the server at the same address with these options, and does not wait until it answers.</summary>
    public void Launch(params string[] options)
    {
        var program = Tools.Require("redis-server", "redis-server");
        string[] arguments =
            ["--port", $"{_port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder.FullName, .. options];
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        _process = Watchdog.Start(start);

        // Drain the log: a full pipe would block the server.
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>A connection for the test, which reconnects after a restart.</summary>
    public async Task<ConnectionMultiplexer> ConnectAsync() => await ConnectionMultiplexer.ConnectAsync(new ConfigurationOptions
    {
        EndPoints = { Address },
        AbortOnConnectFail = false,
        AllowAdmin = true,
        ConnectTimeout = 500,
        SyncTimeout = 1000,
        AsyncTimeout = 1000,
        ReconnectRetryPolicy = new LinearRetry(200),
    });

    /// <summary>Suspends the server. It keeps its connections and stops answering.</summary>
    public void Hang() => Signal("STOP");

    public void GoOn() => Signal("CONT");

    /// <summary>Ends the process, as a crash would.</summary>
    public async Task StopAsync()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process?.Dispose();
        if (Directory.Exists(_folder.FullName)) _folder.Delete(recursive: true);
    }

    private void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{_process!.Id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    private async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync("127.0.0.1", _port, cancel);
            await connection.GetStream().WriteAsync("PING\r\n"u8.ToArray(), cancel);
            var answer = new byte[7];
            await connection.GetStream().ReadExactlyAsync(answer, cancel);
            return answer.AsSpan().SequenceEqual("+PONG\r\n"u8);
        }
        catch (Exception error) when (error is SocketException or IOException)
        {
            return false;
        }
    }
}
