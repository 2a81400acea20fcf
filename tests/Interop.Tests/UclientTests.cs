using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>coturn's own client relays through this project's server and loses nothing.</summary>
public sealed class UclientTests(TurnServers servers) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uclient-");
    private readonly int _peerPort = FreePorts.TcpAndUdp();
    private Process? _peer;

    public async ValueTask InitializeAsync()
    {
        _peer = Process.Start(new ProcessStartInfo(
            Tools.Require("turnutils_peer", "coturn"), ["-L", "127.0.0.1", "-p", _peerPort.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _peer.BeginOutputReadLine();
        _peer.BeginErrorReadLine();
        await UntilItEchoesAsync();
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
    }

    [Theory]
    [InlineData("Epoll", "")]
    [InlineData("Epoll", "-s")]
    [InlineData("Epoll", "-y -c")]
    [InlineData("Epoll", "-t")]
    [InlineData("Epoll", "-s -t")]
    [InlineData("Epoll", "-s -D")]
    [InlineData("Epoll", "-B")]
    [InlineData("Epoll", "-G")]
    [InlineData("Epoll", "-y -m 20")]
    [InlineData("Portable", "")]
    [InlineData("Portable", "-s")]
    [InlineData("Portable", "-y -c")]
    [InlineData("Portable", "-t")]
    [InlineData("Portable", "-B")]
    [Requirement("RFC8656-5")]
    [Requirement("RFC8656-7.2-8")]
    public async Task WithAPassword_NothingIsLost(string transport, string options) =>
        await AssertNothingIsLostAsync(transport, ["-u", "u", "-w", "p", .. Split(options)]);

    [Theory]
    [InlineData("Epoll", "-s")]
    [InlineData("Epoll", "-s -t")]
    [InlineData("Epoll", "-s -y -c")]
    [InlineData("Epoll", "-s -m 10")]
    [InlineData("Epoll", "-y -c")]
    [InlineData("Portable", "-s")]
    [InlineData("Portable", "-s -t")]
    [InlineData("Portable", "-s -y -c")]
    [Requirement("RFC7635-7")]
    [Requirement("RFC7635-9")]
    public async Task WithTokens_NothingIsLost(string transport, string options)
    {
        var library = await FullHmacKeyAsync();

        await AssertNothingIsLostAsync(transport, ["-J", .. Split(options)], ("LD_PRELOAD", library));
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task WithSixteenOctetsOfTheKey_CoturnsClientIsRefused()
    {
        var server = await servers.WithAsync("Portable");
        var result = await UclientAsync(server, ["-J", "-s"]);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("401", result.Output, StringComparison.Ordinal);
        Assert.False(server.HasExited);
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("Portable")]
    [Requirement("RFC8489-12")]
    public async Task Binding_GivesTheClientsAddress(string transport)
    {
        var server = await servers.WithAsync(transport);
        var result = await Command.RunAsync(
            Tools.Require("turnutils_stunclient", "coturn"), ["-p", server.Port.ToString(CultureInfo.InvariantCulture), "127.0.0.1"]);

        Assert.Contains("UDP reflexive addr: 127.0.0.1:", result.Output, StringComparison.Ordinal);
    }

    private static string[] Split(string options) => options.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private async Task AssertNothingIsLostAsync(string transport, string[] options, params (string, string)[] environment)
    {
        var server = await servers.WithAsync(transport);
        var result = await UclientAsync(server, options, environment);

        Assert.True(result.ExitCode == 0, result.Output + server.Output);
        Assert.Contains("Total lost packets 0 (0.000000%)", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("tot_recv_msgs=0\n", result.Output, StringComparison.Ordinal);
        Assert.False(server.HasExited);
    }

    private Task<CommandResult> UclientAsync(TurnServerProcess server, string[] options, params (string, string)[] environment) => Command.RunAsync(
        Tools.Require("turnutils_uclient", "coturn"),
        [
            "-v", "-n", "5", "-L", "127.0.0.1", "-e", "127.0.0.1", "-r", _peerPort.ToString(CultureInfo.InvariantCulture),
            "-p", server.Port.ToString(CultureInfo.InvariantCulture), .. options, "127.0.0.1",
        ],
        environment: environment);

    private async Task<string> FullHmacKeyAsync()
    {
        var library = Path.Combine(_folder.FullName, "full-hmac-key.so");
        var result = await Command.RunAsync(
            Tools.Require("gcc", "gcc"),
            ["-shared", "-fPIC", "-Wall", "-Werror", "-o", library, Path.Combine(AppContext.BaseDirectory, "full-hmac-key.c"), "-ldl"]);
        Assert.True(result.ExitCode == 0, result.Output);
        return library;
    }

    private async Task UntilItEchoesAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var answer = socket.ReceiveAsync(limit.Token).AsTask();
        while (!answer.IsCompleted)
        {
            await socket.SendAsync(new byte[] { 1 }, new IPEndPoint(IPAddress.Loopback, _peerPort), limit.Token);
            await Task.WhenAny(answer, Task.Delay(20, limit.Token));
            if (answer.IsFaulted) answer = socket.ReceiveAsync(limit.Token).AsTask();
        }
    }
}
