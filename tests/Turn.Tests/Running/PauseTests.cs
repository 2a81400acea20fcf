using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A process that stands still for a while: a long garbage collection, a frozen virtual machine.</summary>
public sealed class PauseTests
{
    [Theory]
    [InlineData("Epoll")]
    [InlineData("Portable")]
    [Requirement("ABUSE-82")]
    public async Task PausedServer_LosesNoAllocation_AndRelaysWhatCameMeanwhile(string transport)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "signals pause a process on Unix alone");
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", transport)));
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var address = (IPEndPoint)peer.Client.LocalEndPoint!;
        await using var client = Alice.Udp(IPAddress.Loopback, server.Port);
        await client.RequestAsync(StunMethod.Allocate, StunRequest.UdpTransport);
        await client.BindAsync(0x4000, address);

        await SignalAsync(server, "STOP");
        for (byte i = 0; i < 50; i++) await client.SendOnChannelAsync(0x4000, [i]);
        await SignalAsync(server, "CONT");

        for (byte i = 0; i < 50; i++) Assert.Equal([i], await UdpPeer.ReceiveAsync(peer));
        Assert.True((await client.PermitAsync(address)).IsSuccess);
    }

    private static async Task SignalAsync(TurnServerProcess server, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{server.Id}"]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, kill.ExitCode);
    }
}
