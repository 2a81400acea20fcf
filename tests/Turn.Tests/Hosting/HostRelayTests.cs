using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>The host carries out each decision of the engine about relayed data, and counts it.</summary>
public sealed class HostRelayTests : IDisposable
{
    private static readonly TransportAddress Peer = TransportAddress.From(RecordedHost.Peer);

    private readonly RecordedHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    [Requirement("RFC8656-11.2")]
    public void DataOfAClient_LeavesItsRelayAsItCame_AndIsCounted()
    {
        var client = _host.Allocated();
        _host.Ask(client, StunMethod.ChannelBind, StunRequest.Channel(0x4001, RecordedHost.Peer));

        _host.Receive(client, StunRequest.SendIndication(RecordedHost.Peer, [1, 2, 3]));
        _host.Receive(client, StunRequest.OnChannel(0x4001, [4, 5]));

        Assert.Equal(
            [("203.0.113.9:5000", "010203", false), ("203.0.113.9:5000", "0405", false)], Assert.Single(_host.Datagrams.Relays).Sent);
        Assert.Equal((2, 5), _host.Relayed("to_peer"));
        Assert.Equal((0, 0), _host.Relayed("to_client"));
        Assert.Null(_host.Connection);
        Assert.Empty(_host.Measurements.Of("turn.relay.drops"));
    }

    [Fact]
    [Requirement("RFC8656-13")]
    public void DataThatMustNotBeFragmented_LeavesOnce_AndIsCounted()
    {
        var client = _host.Allocated();

        _host.Receive(client, StunRequest.SendIndication(RecordedHost.Peer, [1, 2, 3], StunRequest.Value(StunAttributeType.DontFragment)));

        Assert.Equal([("203.0.113.9:5000", "010203", true)], _host.Datagrams.Relays[0].Sent);
        Assert.Equal((1, 3), _host.Relayed("to_peer"));
    }

    [Fact]
    public void DroppedData_IsCountedByItsReason_AndNothingIsSent()
    {
        var client = _host.Allocated();
        var sent = _host.Path.Sent.Count;

        _host.Receive(client, StunRequest.OnChannel(0x4001, [4, 5]));
        _host.Receive(_host.NewClient(), StunRequest.OnChannel(0x4001, [4, 5]));

        Assert.Equal((1, 1), (_host.Drops(DropReason.UnboundChannel), _host.Drops(DropReason.NoAllocation)));
        Assert.Equal(sent, _host.Path.Sent.Count);
        Assert.Empty(_host.Datagrams.Relays[0].Sent);
        Assert.Equal((0, 0), _host.Relayed("to_peer"));
    }

    [Fact]
    [Requirement("RFC8656-11.3")]
    public void DataOfAPeer_GetsToTheClient_AndItsPayloadIsCounted()
    {
        var client = _host.Allocated();

        _host.Host.ReceiveFromPeer(_host.AllocationOf(client), Peer, RecordedHost.PeerBuffer(7, 8, 9));

        var (address, octets) = _host.Path.Sent[^1];
        Assert.Equal(client.Flow.Client, address);
        var message = new StunAnswer(octets);
        Assert.Equal(StunMethod.Data, message.Message.Method);
        Assert.Equal([7, 8, 9], message.Value(StunAttributeType.Data));
        Assert.Equal((1, 3), _host.Relayed("to_client"));
        Assert.Equal((0, 0), _host.Relayed("to_peer"));
        Assert.Empty(_host.Measurements.Of("turn.relay.drops"));
    }

    [Fact]
    [Requirement("ABUSE-68")]
    public void DataOfAStranger_IsDroppedAndCounted()
    {
        var client = _host.Allocated();
        var sent = _host.Path.Sent.Count;

        _host.Host.ReceiveFromPeer(_host.AllocationOf(client), EngineClient.Peer("203.0.113.10:1"), RecordedHost.PeerBuffer(7));

        Assert.Equal(1, _host.Drops(DropReason.NoPermission));
        Assert.Equal(sent, _host.Path.Sent.Count);
        Assert.Equal((0, 0), _host.Relayed("to_client"));
    }

    [Fact]
    [Requirement("ABUSE-83")]
    public void ExceptionInADatagramOfAPeer_IsCountedAndLogged_AndTheNextIsHandled()
    {
        var client = _host.Allocated();
        var allocation = _host.AllocationOf(client);
        var sent = _host.Path.Sent.Count;

        // A buffer without the room for the header is a bug of the transport.
        _host.Host.ReceiveFromPeer(allocation, Peer, []);
        Assert.Equal(1, _host.Drops(DropReason.Failed));
        Assert.StartsWith(
            "Error WebRtcIms.Turn.Hosting.EngineHost A packet could not be handled", Assert.Single(_host.Log.Errors),
            StringComparison.Ordinal);
        Assert.Equal(sent, _host.Path.Sent.Count);
        _host.Host.ReceiveFromPeer(allocation, Peer, RecordedHost.PeerBuffer(7));

        Assert.Equal([7], new StunAnswer(_host.Path.Sent[^1].Octets).Value(StunAttributeType.Data));
        Assert.Equal(1, _host.Drops(DropReason.Failed));
    }

    [Fact]
    [Requirement("RFC8656-11.5")]
    public void IcmpError_GetsToTheClient()
    {
        var client = _host.Allocated();

        _host.Host.ReceiveIcmp(_host.AllocationOf(client), Peer, new IcmpError(3, 3, 0));

        var (address, octets) = _host.Path.Sent[^1];
        Assert.Equal(client.Flow.Client, address);
        Assert.True(new StunAnswer(octets).Has(StunAttributeType.Icmp));
        Assert.Empty(_host.Measurements.Of("turn.relay.drops"));
    }

    [Fact]
    [Requirement("RFC8656-11.5")]
    [Requirement("ABUSE-83")]
    public void IcmpErrorOfAStranger_IsDropped_AndAFailureIsCounted()
    {
        var client = _host.Allocated();
        var allocation = _host.AllocationOf(client);
        var sent = _host.Path.Sent.Count;
        _host.Host.ReceiveIcmp(allocation, EngineClient.Peer("203.0.113.10:1"), new IcmpError(3, 3, 0));
        Assert.Equal(1, _host.Drops(DropReason.NoPermission));

        _host.Path.IsBroken = true;
        _host.Host.ReceiveIcmp(allocation, Peer, new IcmpError(3, 3, 0));

        Assert.Equal(1, _host.Drops(DropReason.Failed));
        Assert.Single(_host.Log.Errors);
        Assert.Equal(sent, _host.Path.Sent.Count);
    }

    [Fact]
    [Requirement("ABUSE-83")]
    public void ExceptionInARequest_IsCountedAndLogged()
    {
        var client = _host.Allocated();
        _host.Path.IsBroken = true;

        Assert.Null(_host.Ask(client, StunMethod.Refresh));

        Assert.Equal(1, _host.Drops(DropReason.Failed));
        Assert.Contains("broken on purpose", Assert.Single(_host.Log.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Requests_AreCountedByMethodAndError()
    {
        var client = _host.Allocated();
        _host.Ask(client, StunMethod.ChannelBind, StunRequest.Peer(RecordedHost.Peer));
        _host.Receive(client, StunRequest.Plain(StunMethod.Binding));

        Assert.Equal(
            (1, 1, 1, 1),
            (_host.Requests(StunMethod.Allocate, StunError.None), _host.Requests(StunMethod.CreatePermission, StunError.None),
                _host.Requests(StunMethod.ChannelBind, StunError.BadRequest), _host.Requests(StunMethod.Binding, StunError.None)));
        Assert.Equal(4, _host.Measurements.Of("turn.requests").Count);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void DeletedAllocation_GivesAllBackBeforeTheNextPacket()
    {
        var client = _host.Allocated();
        Assert.Equal(1, _host.Node.Quotas.Total);

        _host.Ask(client, StunMethod.Refresh, StunRequest.Lifetime(0));

        Assert.Equal((1, 0), (_host.Datagrams.Relays[0].Closed, _host.Node.Quotas.Total));
    }

    [Fact]
    [Requirement("ABUSE-19")]
    public void SenderThatCannotBeAnswered_IsCounted()
    {
        var server = _host.NewClient().Flow.Server;
        Assert.True(_host.Host.MayAnswer(EngineClient.Peer("198.51.100.7:40000"), server));
        Assert.Equal(0, _host.Drops(DropReason.SourceForbidden));

        Assert.False(_host.Host.MayAnswer(EngineClient.Peer("198.51.100.7:0"), server));
        Assert.Equal(1, _host.Drops(DropReason.SourceForbidden));
    }

    [Fact]
    public void Flow_IsKnownWhileItHasAnAllocation()
    {
        var client = _host.Allocated();
        Assert.True(_host.Host.Knows(client.Flow));
        Assert.False(_host.Host.Knows(_host.NewClient().Flow));
        Assert.Equal(1, _host.Host.AllocationCount);

        Assert.Equal(0, _host.Host.End((_, _) => false, AllocationEnd.Disconnected));
        Assert.Equal(1, _host.Host.End((allocation, record) =>
            allocation.FiveTuple == client.Flow && record.Id.Length == 16, AllocationEnd.Disconnected));
        Assert.False(_host.Host.Knows(client.Flow));
        Assert.Equal((0, 1), (_host.Host.AllocationCount, _host.Datagrams.Relays[0].Closed));
    }
}
