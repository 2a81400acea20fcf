using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>
/// coturn's own client and the peer that it talks to. Each run takes seconds, most of them waiting, so the cases stand in several
/// classes, which run at a time.
/// </summary>
public abstract partial class UclientRuns(TurnServers servers) : IAsyncLifetime
{
    // The payload of uclient has 100 octets. Five messages leave from each of its two clients.
    private const int ChannelDataLength = 4 + 100;
    private const int DataIndicationLength = 20 + 12 + 4 + 100;
    private const int MessagesSent = 10;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uclient-");
    private readonly int _peerPort = FreePorts.EvenPair();
    private Process? _peer;

    public async ValueTask InitializeAsync()
    {
        _peer = Process.Start(new ProcessStartInfo(
            Tools.Require("turnutils_peer", "coturn"),
            ["-L", "127.0.0.1", "-L", "::1", "-p", _peerPort.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _peer.BeginOutputReadLine();
        _peer.BeginErrorReadLine();

        // The client sends RTP to one port and RTCP to the other. The peer reports nothing if it could not bind one of them.
        await WaitForEchoAsync(_peerPort);
        await WaitForEchoAsync(_peerPort + 1);
    }

    public async ValueTask DisposeAsync()
    {
        if (_peer is not null)
        {
            if (!_peer.HasExited) _peer.Kill();
            await _peer.WaitForExitAsync();
            _peer.Dispose();
        }

        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    protected static string[] Split(string options) => options.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    protected async Task AssertNothingIsLostAsync(string transport, string[] options, params (string, string)[] environment)
    {
        var server = await servers.WithAsync(transport);
        var result = await UclientAsync(server, options, environment);

        Assert.True(result.ExitCode == 0, result.Output + server.Output);
        Assert.True(IsNothingLost(result.Output, options), result.Output + server.Output);
        Assert.DoesNotContain("tot_recv_msgs=0\n", result.Output, StringComparison.Ordinal);
        Assert.False(server.HasExited);
    }

    // uclient counts one read of a TLS stream as one message, also if two messages arrived together. Their octets show how many came.
    private static bool IsNothingLost(string output, string[] options)
    {
        if (output.Contains("Total lost packets 0 (0.000000%)", StringComparison.Ordinal)) return true;
        if (!options.Contains("-t") || !options.Contains("-S")) return false;
        var message = options.Contains("-s") ? DataIndicationLength : ChannelDataLength;
        var received = ResponseSize().Matches(output).Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
            .Where(size => size % message == 0).Sum(size => size / message);
        return received == MessagesSent;
    }

    [GeneratedRegex(@"response received: size=(\d+)")]
    private static partial Regex ResponseSize();

    private protected Task<CommandResult> UclientAsync(
        TurnServerProcess server, string[] options, params (string, string)[] environment) => Command.RunAsync(
        Tools.Require("turnutils_uclient", "coturn"),
        [
            "-v", "-n", "5", "-L", "127.0.0.1", "-e", "127.0.0.1", "-r", _peerPort.ToString(CultureInfo.InvariantCulture),
            "-p", (options.Contains("-S") ? server.TlsPort : server.Port).ToString(CultureInfo.InvariantCulture), .. options, "127.0.0.1",
        ],
        environment: environment);

    protected async Task<string> FullHmacKeyAsync()
    {
        var library = Path.Combine(_folder.FullName, "full-hmac-key.so");
        var result = await Command.RunAsync(
            Tools.Require("gcc", "gcc"),
            ["-shared", "-fPIC", "-Wall", "-Werror", "-o", library, Path.Combine(AppContext.BaseDirectory, "full-hmac-key.c"), "-ldl"]);
        Assert.True(result.ExitCode == 0, result.Output);
        return library;
    }

    private static async Task WaitForEchoAsync(int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var answer = socket.ReceiveAsync(limit.Token).AsTask();
        while (!answer.IsCompleted)
        {
            await socket.SendAsync(new byte[] { 1 }, new IPEndPoint(IPAddress.Loopback, port), limit.Token);
            await Task.WhenAny(answer, Task.Delay(20, limit.Token));
            if (answer.IsFaulted) answer = socket.ReceiveAsync(limit.Token).AsTask();
        }
    }
}
