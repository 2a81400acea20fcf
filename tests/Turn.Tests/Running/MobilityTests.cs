using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A client that changes its port again and again, so that its packets reach every worker of the server (RFC 8016).</summary>
public sealed class MobilityTests
{
    private const ushort Channel = 0x4000;

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("TURN-D3")]
    public async Task MovedClient_KeepsRelayingBothWays_WhicheverWorkerItReaches(string transport)
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var server = await TurnServerProcess.StartAsync(
            Alice.Settings(("Turn__Transport", transport), ("Turn__Workers", "2"), ("Turn__Mobility", "true")));
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var peerAddress = (IPEndPoint)peer.Client.LocalEndPoint!;
        var client = Alice.Udp(IPAddress.Loopback, server.Port);
        try
        {
            var allocated = await client.RequestAsync(StunMethod.Allocate, StunRequest.UdpWith(StunAttributeType.MobilityTicket));
            var relay = allocated.Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
            var ticket = allocated.Value(StunAttributeType.MobilityTicket);
            Assert.True((await client.BindAsync(Channel, peerAddress)).IsSuccess);

            for (byte move = 0; move < 16; move++)
            {
                // Where it is, both ways.
                await client.SendOnChannelAsync(Channel, [move]);
                Assert.Equal([move], await UdpPeer.ReceiveAsync(peer));
                await peer.SendAsync(new byte[] { move, 1 }, relay, cancel);
                Assert.Equal([move, 1], await client.ReceiveOnChannelAsync(Channel));

                var moved = Alice.Udp(IPAddress.Loopback, server.Port);
                var answer = await moved.RequestAsync(StunMethod.Refresh, StunRequest.Value(StunAttributeType.MobilityTicket, ticket));
                Assert.True(answer.IsSuccess, $"move {move}: {answer.Error}");
                ticket = answer.Value(StunAttributeType.MobilityTicket);

                // The old way serves until data comes by the new one, which may have requests before.
                await peer.SendAsync(new byte[] { move, 2 }, relay, cancel);
                Assert.Equal([move, 2], await client.ReceiveOnChannelAsync(Channel));
                Assert.True((await moved.BindAsync(Channel, peerAddress)).IsSuccess);
                await client.DisposeAsync();
                client = moved;
            }
        }
        finally
        {
            await client.DisposeAsync();
        }

        Assert.False(server.HasExited);
    }
}
