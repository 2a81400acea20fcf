using System.Collections.Concurrent;
using System.Diagnostics;

namespace WebRtcIms.Turn.Client.Tests.Servers;

/// <summary>A TURN server as a process of its own on a free port of the loopback address; it ends with the test.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = [];

    private ServerProcess(ProcessStartInfo start, int port)
    {
        Port = port;
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
    }

    public int Port { get; }

    public TurnUri Udp => TurnUri.Parse($"turn:127.0.0.1:{Port}");

    public TurnUri Tcp => TurnUri.Parse($"turn:127.0.0.1:{Port}?transport=tcp");

    /// <summary>Starts the process, and waits until it answers a Binding request over TCP.</summary>
    public static async Task<ServerProcess> StartAsync(ProcessStartInfo start, int port)
    {
        var server = new ServerProcess(start, port);
        server._process.Start();
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        try
        {
            using var limit = new CancellationTokenSource(StartLimit);
            while (!await server.AnswersAsync(limit.Token))
            {
                if (server._process.HasExited) Assert.Fail(string.Join('\n', server._output));
                await Task.Delay(20, limit.Token);
            }
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        return server;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        try
        {
            await using var client = await TurnClient.ConnectAsync(Tcp, cancellationToken: cancel);
            await client.GetMappedAddressAsync(cancel);
            return true;
        }
        catch (TurnException)
        {
            return false;
        }
    }
}
