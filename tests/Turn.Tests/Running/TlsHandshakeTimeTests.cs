using System.Net;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A class of its own: it waits for ten seconds, beside all others.</summary>
public sealed class TlsHandshakeTimeTests
{
    [Fact]
    [Requirement("ABUSE-25")]
    public async Task SilentHandshake_EndsAfterTenSeconds()
    {
        await using var running = new TlsServer();
        await running.InitializeAsync();
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, running.Server.TlsPort, TestContext.Current.CancellationToken);
        var started = TimeProvider.System.GetTimestamp();

        await TlsServer.UntilClosedAsync(connection);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(14));
    }
}
