using System.Net;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Scripted;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>Relayed data on the wire, both ways.</summary>
public sealed class DatagramTests
{
    private static readonly IPEndPoint Bob = new(IPAddress.Parse("192.0.2.20"), 5000);

    private readonly ObservedClock _clock = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("RFC8656-11.1")]
    public async Task DataToAPeerWithoutAChannel_IsASendIndication()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);

        await allocation.SendAsync("hello"u8.ToArray(), new IPEndPoint(Bob.Address.MapToIPv6(), Bob.Port), Cancel);

        var sent = Assert.Single(server.Sent);
        Assert.Equal((StunMethod.Send, StunClass.Indication), (sent.Stun.Method, sent.Stun.Class));
        Assert.Equal([TransportAddress.From(Bob)], sent.Peers());
        Assert.Equal("hello", sent.Text(StunAttributeType.Data));
    }

    [Fact]
    [Requirement("RFC8656-12.5")]
    public async Task DataToAPeerWithAChannel_IsChannelData()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        await allocation.BindChannelAsync(new IPEndPoint(Bob.Address, 1), Cancel);
        await allocation.BindChannelAsync(Bob, Cancel);
        server.Forget();

        await allocation.SendAsync("hello"u8.ToArray(), Bob, Cancel);

        Assert.Equal([0x40, 0x01, 0, 5, .. "hello"u8, 0, 0, 0], Assert.Single(server.Sent).Octets);
    }

    [Fact]
    [Requirement("RFC8656-12.1")]
    public async Task RefusedChannel_IsNotUsed_AndKeepsItsNumberForThePeer()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(server.Refuse(StunError.InsufficientCapacity));
        await Assert.ThrowsAsync<TurnException>(() => allocation.BindChannelAsync(Bob, Cancel));
        await allocation.SendAsync("x"u8.ToArray(), Bob, Cancel);
        await allocation.BindChannelAsync(Bob, Cancel);

        Assert.Equal([StunMethod.ChannelBind, StunMethod.Send, StunMethod.ChannelBind], server.Sent.Select(sent => sent.Method));
        Assert.True(server.Sent[0].Stun.TryGetUInt32(StunAttributeType.ChannelNumber, out var refused));
        Assert.True(server.Sent[2].Stun.TryGetUInt32(StunAttributeType.ChannelNumber, out var granted));
        Assert.Equal(refused, granted);
    }

    [Fact]
    [Requirement("RFC8656-11.4")]
    [Requirement("RFC8656-12.6")]
    public async Task DataFromPeers_ComesWithThePeer()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        await allocation.BindChannelAsync(Bob, Cancel);
        var carol = TransportAddress.From(new IPEndPoint(IPAddress.Parse("2001:db8::30"), 6000));

        server.Send([0x40, 0x77, 0, 1, 9]);
        server.Send(DataWithAnUnknownAttribute(carol));
        server.Send([0x40, 0x00, 0, 3, 1, 2, 3, 0]);
        server.SendData(carol, "from carol"u8);
        server.Send([0x40, 0x00, 0, 0]);

        var first = await allocation.Received.ReadAsync(Cancel);
        Assert.Equal(Bob, first.Peer);
        Assert.Equal([1, 2, 3], first.Data.ToArray());
        var second = await allocation.Received.ReadAsync(Cancel);
        Assert.Equal(carol.ToIPEndPoint(), second.Peer);
        Assert.Equal("from carol"u8.ToArray(), second.Data.ToArray());
        Assert.Equal(0, (await allocation.Received.ReadAsync(Cancel)).Data.Length);
    }

    [Fact]
    public async Task FullQueue_DropsTheOldest()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel, receiveQueueLength: 3);
        for (byte i = 0; i < 10; i++) server.SendData(TransportAddress.From(Bob), [i]);

        // Messages are handled in order: after this answer all ten have been handled.
        await allocation.RefreshAsync(cancellationToken: Cancel);

        for (byte i = 7; i < 10; i++) Assert.Equal([i], (await allocation.Received.ReadAsync(Cancel)).Data.ToArray());
        Assert.False(allocation.Received.TryRead(out _));
    }

    [Fact]
    [Requirement("RFC8656-12")]
    public async Task ChannelNumbers_EndAt4FFF()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        for (var port = 1; port <= 4096; port++) await allocation.BindChannelAsync(new IPEndPoint(Bob.Address, port), Cancel);
        server.Forget();

        await Assert.ThrowsAsync<TurnException>(() => allocation.BindChannelAsync(new IPEndPoint(Bob.Address, 4097), Cancel));
        Assert.Empty(server.Sent);
        await allocation.SendAsync(new byte[1], new IPEndPoint(Bob.Address, 4096), Cancel);
        Assert.True(ChannelData.TryRead(server.Sent[0].Octets, out var channel, out _));
        Assert.Equal(ChannelData.MaxChannel, channel);
    }

    [Theory]
    [InlineData(TurnAllocation.MaxDataLength, true)]
    [InlineData(TurnAllocation.MaxDataLength + 1, false)]
    public async Task TooMuchData_IsRefusedAtOnce(int length, bool isTaken)
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        if (!isTaken)
        {
            await Assert.ThrowsAsync<ArgumentException>(() => allocation.SendAsync(new byte[length], Bob, Cancel).AsTask());
            return;
        }

        await allocation.SendAsync(new byte[length], new IPEndPoint(IPAddress.IPv6Loopback, 1), Cancel);
        Assert.Equal(65507 - 3, Assert.Single(server.Sent).Octets.Length);
    }

    /// <summary>Invalid, because of an unknown comprehension-required attribute (RFC 8489 §6.3.2).</summary>
    private static byte[] DataWithAnUnknownAttribute(in TransportAddress peer)
    {
        var indication = new StunMessageWriter(new byte[100], StunMethod.Data, StunClass.Indication, default);
        indication.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        indication.Write(StunAttributeType.Data, "void"u8);
        indication.Write((StunAttributeType)0x7ABC, []);
        return indication.Written.ToArray();
    }
}
