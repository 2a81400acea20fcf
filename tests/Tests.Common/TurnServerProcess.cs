using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// This project's TURN server as a process of its own on free ports of the loopback address. The test project refers to
/// <c>Turn</c>, so that <c>WebRtcIms.Turn.dll</c> stands beside the tests.
/// </summary>
public sealed class TurnServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = [];

    private TurnServerProcess(ProcessStartInfo start, int port, int managementPort)
    {
        Port = port;
        ManagementPort = managementPort;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
    }

    public int Port { get; }

    /// <summary>For TLS and DTLS, when the settings give a certificate.</summary>
    public int TlsPort { get; private init; }

    public int ManagementPort { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output => string.Join('\n', _output);

    /// <summary>Starts it and waits until it accepts connections.</summary>
    /// <param name="settings">Environment variables, such as <c>Turn__Realm</c>.</param>
    public static async Task<TurnServerProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        var server = Launch(settings);
        try
        {
            using var limit = new CancellationTokenSource(Limit);
            var hasTls = settings.Any(setting => setting.Name == "Turn__TlsCertificate");
            while (!await AcceptsAsync(server.Port, limit.Token) || (hasTls && !await AcceptsAsync(server.TlsPort, limit.Token)))
            {
                if (server.HasExited) Assert.Fail(server.Output);
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

    /// <summary>Starts it and waits until it has ended by itself; the exit code, with all that it said.</summary>
    public static async Task<(int ExitCode, string Output)> RunToEndAsync(params (string Name, string Value)[] settings)
    {
        await using var server = Launch(settings);
        return (await server.UntilExitAsync(), server.Output);
    }

    /// <summary>Sends a signal such as TERM and waits for the end; the exit code.</summary>
    public async Task<int> EndAsync(string signal)
    {
        await SignalAsync(signal);
        return await UntilExitAsync();
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits until this stands in its output.</summary>
    public async Task UntilItSaysAsync(string text)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!$"{Output}\n".Contains(text, StringComparison.Ordinal))
        {
            if (HasExited || limit.IsCancellationRequested) Assert.Fail($"It did not say '{text}' but:\n{Output}");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static TurnServerProcess Launch((string Name, string Value)[] settings)
    {
        var (port, tlsPort, managementPort) = (FreePorts.TcpAndUdp(), FreePorts.TcpAndUdp(), FreePorts.Tcp());
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Turn.dll")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["Turn__Port"] = port.ToString(CultureInfo.InvariantCulture);
        start.Environment["Turn__TlsPort"] = tlsPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["Turn__PeerPolicy"] = "AllowLoopback";
        start.Environment["ASPNETCORE_URLS"] = $"http://127.0.0.1:{managementPort}";
        foreach (var (name, value) in settings) start.Environment[name] = value;
        if (start.Environment["Turn__Port"] is { } chosen && int.TryParse(chosen, CultureInfo.InvariantCulture, out var given)) port = given;

        var server = new TurnServerProcess(start, port, managementPort) { TlsPort = tlsPort };
        server._process.Start();
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        return server;
    }

    /// <summary>Waits for the end; the exit code.</summary>
    public async Task<int> UntilExitAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        await _process.WaitForExitAsync(limit.Token);

        // Without a limit of its own this waits for the output, too.
        await _process.WaitForExitAsync(CancellationToken.None);
        return _process.ExitCode;
    }

    private static async Task<bool> AcceptsAsync(int port, CancellationToken cancel)
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
