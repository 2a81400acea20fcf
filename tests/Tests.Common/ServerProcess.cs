using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace WebRtcIms.Tests.Common;

/// <summary>A server in its own process. Its output is kept. It ends with the test.</summary>
public abstract class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<string> _output = [];
    private readonly Process _process;

    protected ServerProcess(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process = Watchdog.Start(start);
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output => string.Join('\n', _output);

    /// <summary>Sends a signal such as TERM, waits until the process has ended, and returns the exit code.</summary>
    public async Task<int> EndAsync(string signal)
    {
        await SignalAsync(signal);
        return await WaitForExitAsync();
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits until the process has ended and returns the exit code.</summary>
    public async Task<int> WaitForExitAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        await _process.WaitForExitAsync(limit.Token);

        // Without a timeout this also waits for the output.
        await _process.WaitForExitAsync(CancellationToken.None);
        return _process.ExitCode;
    }

    /// <summary>Waits until the output contains the text.</summary>
    public async Task WaitForOutputAsync(string text)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!$"{Output}\n".Contains(text, StringComparison.Ordinal))
        {
            if (HasExited || limit.IsCancellationRequested) Assert.Fail($"The output does not contain '{text}':\n{Output}");
            await Task.Delay(20);
        }
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Waits until the server is up. If it ends, or is not up within a minute, it is disposed and the test fails.</summary>
    protected async Task UntilUpAsync(Func<CancellationToken, Task<bool>> isUp)
    {
        try
        {
            using var limit = new CancellationTokenSource(Limit);
            while (!await isUp(limit.Token))
            {
                if (HasExited) Assert.Fail(Output);
                await Task.Delay(20, limit.Token);
            }
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    protected static async Task<bool> AcceptsAsync(int port, CancellationToken cancel)
    {
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync("127.0.0.1", port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
