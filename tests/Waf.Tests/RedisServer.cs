using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>A real redis-server on a free port of this machine; it keeps nothing on disk.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private readonly Process _process;

    private RedisServer(Process process, int port) => (_process, Address) = (process, $"127.0.0.1:{port}");

    /// <summary>As <c>ConnectionStrings:redis</c> has it.</summary>
    public string Address { get; }

    /// <summary>Returns when it answers.</summary>
    public static async Task<RedisServer> StartAsync()
    {
        var program = Tools.Require("redis-server", "redis-server");
        var port = FreePort();
        var server = new RedisServer(
            Process.Start(new ProcessStartInfo(program, ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", Path.GetTempPath()])
            {
                RedirectStandardOutput = true,
            })!,
            port);
        // Its log is read, lest it wait for a full pipe.
        server._process.OutputDataReceived += (_, _) => { };
        server._process.BeginOutputReadLine();
        using var connection = await server.ConnectAsync();
        return server;
    }

    /// <summary>A connection of the test's own.</summary>
    public async Task<ConnectionMultiplexer> ConnectAsync() => await ConnectionMultiplexer.ConnectAsync(
        new ConfigurationOptions { EndPoints = { Address }, ConnectRetry = 40, ConnectTimeout = 250, ReconnectRetryPolicy = new LinearRetry(50) });

    /// <summary>Ends the process, as a crash would.</summary>
    public async Task StopAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
