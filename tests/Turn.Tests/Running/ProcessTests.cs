using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>The server as a program: how it starts, what it says when it cannot, how it ends.</summary>
public sealed class ProcessTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static readonly (string, string)[] Key =
        [("Turn__Keys__0__Kid", "k1"), ("Turn__Keys__0__Key", Convert.ToBase64String(new byte[32]))];

    [Theory]
    [InlineData("Epoll", "UDP (2 epoll workers)")]
    [InlineData("Portable", "UDP")]
    public async Task Start_SaysWhereItListens_AndHealthIsSeenOnTheManagementPort(string transport, string said)
    {
        await using var server = await TurnServerProcess.StartAsync([.. Key, ("Turn__Transport", transport), ("Turn__Workers", "2")]);
        using var http = new HttpClient();
        var health =
            await http.GetAsync(new Uri($"http://127.0.0.1:{server.ManagementPort}/health"), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        await server.WaitForOutputAsync($"TURN listens on 127.0.0.1:{server.Port}, {said}");
        Assert.DoesNotContain("warn:", server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP_PORTS")]
    [InlineData("ASPNETCORE_HTTP_PORTS")]
    public async Task PortOfAContainerImage_IsWhereManagementListens(string variable)
    {
        var port = FreePorts.Tcp().ToString(CultureInfo.InvariantCulture);
        await using var server = await TurnServerProcess.StartAsync([.. Key, ("ASPNETCORE_URLS", ""), (variable, port)]);
        using var http = new HttpClient();

        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri($"http://127.0.0.1:{port}/ready"), Cancel)).StatusCode);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task Signal_EndsItInOrder(string signal)
    {
        await using var server = await TurnServerProcess.StartAsync(Key);

        Assert.Equal(0, await server.EndAsync(signal));
    }

    [Fact]
    public async Task Signal_IsNotHeldUpByOpenStreams()
    {
        using var certificate = new TestCertificate();
        await using var server = await TurnServerProcess.StartAsync([.. Key, .. certificate.Settings]);
        using var silent = await ConnectAsync(server.Port);
        using var halfOpen = await ConnectAsync(server.TlsPort);
        using var open = await ConnectAsync(server.TlsPort);
        await using var tls = new SslStream(open.GetStream());
        await tls.AuthenticateAsClientAsync(certificate.ClientOptions("stun.turn"), Cancel);
        var started = TimeProvider.System.GetTimestamp();

        // The host would wait for thirty seconds.
        Assert.Equal(0, await server.EndAsync("TERM"));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(25));
    }

    [Theory]
    [InlineData("Epoll", ProtocolType.Udp)]
    [InlineData("IoUring", ProtocolType.Udp)]
    [InlineData("Portable", ProtocolType.Udp)]
    [InlineData("Epoll", ProtocolType.Tcp)]
    public async Task PortInUse_IsSaidWithTheSettingThatChangesIt(string transport, ProtocolType protocol)
    {
        using var holder = protocol == ProtocolType.Udp
            ? new Socket(AddressFamily.InterNetwork, SocketType.Dgram, protocol)
            : new Socket(AddressFamily.InterNetwork, SocketType.Stream, protocol);
        holder.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (protocol == ProtocolType.Tcp) holder.Listen();
        var port = ((IPEndPoint)holder.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture);
        var (exitCode, output) = await TurnServerProcess.RunToEndAsync([.. Key, ("Turn__Transport", transport), ("Turn__Port", port)]);

        Assert.Equal(1, exitCode);
        Assert.Contains("TURN cannot start.", output, StringComparison.Ordinal);
        Assert.Contains(port, output, StringComparison.Ordinal);
        Assert.Contains("Turn:Port", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public async Task WrongSettings_AreListed_AndTheExitCodeIsOne()
    {
        var (exitCode, output) = await TurnServerProcess.RunToEndAsync(("Turn__Quotas__Total", "0"), ("Turn__Realm", ""));

        Assert.Equal(1, exitCode);
        Assert.Contains("Turn:Quotas:Total must be at least 1", output, StringComparison.Ordinal);
        Assert.Contains("Turn:Realm must have 1 to 127 characters", output, StringComparison.Ordinal);
        Assert.Contains("Turn:Keys is empty", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    private static async Task<TcpClient> ConnectAsync(int port)
    {
        var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, port, Cancel);
        return connection;
    }
}
