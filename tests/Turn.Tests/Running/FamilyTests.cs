using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Clients and peers of one family and of two, on sockets (RFC 8656 §13 to §15).</summary>
public sealed class FamilyTests
{
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("TURN-B31")]
    [Requirement("TURN-B12")]
    [Requirement("TURN-B14")]
    public async Task ClientOfEitherFamily_ReachesPeersOfEither(string transport)
    {
        await using var server = await TurnServerProcess.StartAsync(
            Alice.Settings(("Turn__Transport", transport), ("Turn__ListenAddress", "127.0.0.1,::1")));
        foreach (var client in new[] { IPAddress.Loopback, IPAddress.IPv6Loopback })
        {
            await RelayBothWaysAsync(
                server, client, StunRequest.UdpWith(StunAttributeType.RequestedAddressFamily, 1, 0, 0, 0), IPAddress.Loopback);
            await RelayBothWaysAsync(
                server, client, StunRequest.UdpWith(StunAttributeType.RequestedAddressFamily, 2, 0, 0, 0), IPAddress.IPv6Loopback);
            await RelayBothWaysAsync(
                server, client, StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0), IPAddress.Loopback,
                IPAddress.IPv6Loopback);
        }
    }

    [Fact]
    [Requirement("TURN-B13")]
    [Requirement("TURN-B12")]
    public async Task ReservedPortOfIPv6_IsGivenAsOneOfIPv6()
    {
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__ListenAddress", "127.0.0.1,::1")));
        await using var rtp = Alice.Udp(IPAddress.Loopback, server.Port);
        await using var rtcp = Alice.Udp(IPAddress.Loopback, server.Port);
        var first = await rtp.RequestAsync(StunMethod.Allocate, (ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.Write(StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]);
            request.Write(StunAttributeType.EvenPort, [0x80]);
        });
        var second = await rtcp.RequestAsync(
            StunMethod.Allocate, StunRequest.UdpWith(StunAttributeType.ReservationToken, first.Value(StunAttributeType.ReservationToken)));
        var (even, odd) = (first.Address(StunAttributeType.XorRelayedAddress), second.Address(StunAttributeType.XorRelayedAddress));

        Assert.Equal((StunAddressFamily.IPv6, even.Port + 1), (odd.Address.Family, odd.Port));
        Assert.True((await rtcp.PermitAsync(new IPEndPoint(IPAddress.IPv6Loopback, 9))).IsSuccess);
        Assert.Equal(StunError.PeerAddressFamilyMismatch, (await rtcp.PermitAsync(new IPEndPoint(IPAddress.Loopback, 9))).Error);
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("TURN-B9")]
    public async Task DontFragment_SetsDfInThatDatagramAlone(string transport)
    {
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", transport)));
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var address = (IPEndPoint)peer.Client.LocalEndPoint!;
        await using var client = Alice.Udp(IPAddress.Loopback, server.Port);
        var allocated = await client.RequestAsync(StunMethod.Allocate, StunRequest.UdpWith(StunAttributeType.DontFragment));
        Assert.True(allocated.IsSuccess);
        await client.PermitAsync(address);
        using var wire = TryOpenWire();

        for (var i = 0; i < 4; i++)
        {
            var isWhole = i % 2 == 0;
            await client.SendToAsync(address, [(byte)i], (ref StunMessageWriter more) =>
            {
                if (isWhole) more.Write(StunAttributeType.DontFragment, []);
            });
            Assert.Equal([(byte)i], await UdpPeer.ReceiveAsync(peer));

            // The header can be seen by who may open a raw socket; for others it remains that the datagram arrives.
            if (wire is not null) Assert.Equal(isWhole, DfOfNextTo(wire, address.Port));
        }
    }

    private static async Task RelayBothWaysAsync(
        TurnServerProcess server, IPAddress from, WriteAttributes allocate, params IPAddress[] peers)
    {
        const ushort Channel = 0x4000;
        await using var client = Alice.Udp(from, server.Port);
        var allocated = await client.RequestAsync(StunMethod.Allocate, allocate);
        var relays = allocated.Addresses(StunAttributeType.XorRelayedAddress);
        Assert.Equal(peers.Length, relays.Count);
        foreach (var (at, i) in peers.Select((at, i) => (at, i)))
        {
            using var peer = new UdpClient(new IPEndPoint(at, 0));
            var address = (IPEndPoint)peer.Client.LocalEndPoint!;
            var relay = relays[i].ToIPEndPoint();
            Assert.True((await client.PermitAsync(address)).IsSuccess);
            await client.SendToAsync(address, [1]);
            Assert.Equal([1], await UdpPeer.ReceiveAsync(peer));
            await peer.SendAsync(new byte[] { 2 }, relay, TestContext.Current.CancellationToken);
            var data = await client.ReceiveStunAsync();
            Assert.Equal(address, data.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());
            Assert.Equal([2], data.Value(StunAttributeType.Data));

            Assert.True((await client.BindAsync((ushort)(Channel + i), address)).IsSuccess);
            await client.SendOnChannelAsync((ushort)(Channel + i), [3]);
            Assert.Equal([3], await UdpPeer.ReceiveAsync(peer));
            await peer.SendAsync(new byte[] { 4 }, relay, TestContext.Current.CancellationToken);
            Assert.Equal([4], await client.ReceiveOnChannelAsync((ushort)(Channel + i)));
        }
    }

    private static Socket? TryOpenWire()
    {
        try
        {
            var wire =
                new Socket(
                    AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Udp)
                { ReceiveBufferSize = 1 << 20, ReceiveTimeout = 20_000 };
            wire.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            return wire;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    private static bool DfOfNextTo(Socket wire, int port)
    {
        var packet = new byte[65536];
        while (true)
        {
            wire.Receive(packet);
            var header = (packet[0] & 0x0F) * 4;
            if (((packet[header + 2] << 8) | packet[header + 3]) == port) return (packet[6] & 0x40) != 0;
        }
    }
}
