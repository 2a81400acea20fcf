using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A peer that is not there: the kernel's ICMP reaches the client, and other peers' datagrams are not lost with it.</summary>
public sealed class IcmpTests
{
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [Requirement("RFC8656-11.5")]
    [Requirement("ABUSE-70")]
    public async Task ClosedPort_IsTold_AndTheOthersAreStillReached(string transport)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ICMP errors of unconnected sockets are read on Linux alone");
        var cancel = TestContext.Current.CancellationToken;
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", transport)));
        await using var client = new ClientAndPeer(server);
        var (open, closed) = (client.PeerAddress, new IPEndPoint(IPAddress.Loopback, FreePorts.TcpAndUdp()));
        Assert.Equal(StunError.None, await client.AllocateAsync());
        Assert.True((await client.Client.PermitAsync(open)).IsSuccess);

        for (var i = 0; i < 20; i++)
        {
            await client.Client.SendToAsync(closed, [7]);
            var indication = await client.Client.ReceiveStunAsync();
            Assert.Equal(closed, indication.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());
            Assert.Equal("0000060300000000", Convert.ToHexString(indication.Value(StunAttributeType.Icmp)));

            await client.Client.SendToAsync(closed, [7]);
            await client.Client.SendToAsync(open, [7]);
            Assert.Equal([7], (await client.Peer.ReceiveAsync(cancel)).Buffer);
            Assert.True((await client.Client.ReceiveStunAsync()).Has(StunAttributeType.Icmp));
        }
    }
}
