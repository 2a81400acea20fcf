using System.Buffers.Binary;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>The host of TCP allocations (RFC 6062): connections are opened, named, bound and closed.</summary>
public sealed class HostTcpRelayTests : IDisposable
{
    private static readonly TransportAddress Peer = TransportAddress.From(RecordedHost.Peer);
    private static readonly WriteAttributes TcpTransport = StunRequest.Value(StunAttributeType.RequestedTransport, 6, 0, 0, 0);

    private readonly RecordedHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    [Requirement("RFC6062-5.1")]
    public void TcpAllocation_HasARelayOfTheTcpTransport()
    {
        var client = Allocated();

        Assert.Empty(_host.Datagrams.Relays);
        Assert.Same(_host.AllocationOf(client), Assert.Single(_host.Streams.Started).Allocation);
        Assert.Empty(_host.Datagrams.Started);
        _host.Host.StreamClosed(client.Flow);
        Assert.Equal(1, Assert.Single(_host.Streams.Relays).Closed);
        Assert.Equal(0, _host.Node.Quotas.Total);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    public void Connect_OpensAConnectionFromTheRelay_AndIsAnsweredAndCounted()
    {
        var client = Allocated();

        var answer = Connect(client)!;

        Assert.Equal(StunError.None, answer.Error);
        Assert.Equal(StunMethod.Connect, answer.Message.Method);
        Assert.Null(_host.Connection);
        Assert.True(client.Verifies(answer));
        Assert.Contains($"connect {_host.Streams.Relays[0].Bound} {Peer}", _host.Events);
        Assert.Equal(1, _host.Requests(StunMethod.Connect, StunError.None));
        Assert.Empty(_host.Measurements.Of("turn.relay.drops"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC6062-5.2")]
    [Requirement("ABUSE-83")]
    public void ConnectThatFails_Is447_AndAnExceptionIsLogged(bool isBug)
    {
        var client = Allocated();
        _host.Streams.Connect = () => isBug
            ? Task.FromException<PeerTransport?>(new InvalidOperationException("broken on purpose"))
            : Task.FromResult<PeerTransport?>(null);

        Assert.Equal(StunError.ConnectionTimeoutOrFailure, Connect(client)!.Error);

        Assert.Equal(1, _host.Requests(StunMethod.Connect, StunError.ConnectionTimeoutOrFailure));
        Assert.Equal(isBug ? 1 : 0, _host.Drops(DropReason.Failed));
        Assert.Equal(isBug ? 1 : 0, _host.Log.Errors.Count());
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("ABUSE-57")]
    public void AllocationThatEndsDuringAConnect_ClosesTheConnection_AndIsNotAnswered()
    {
        var client = Allocated();
        var connecting = new TaskCompletionSource<PeerTransport?>();
        _host.Streams.Connect = () => connecting.Task;
        Assert.Null(Connect(client));
        _host.Host.StreamClosed(client.Flow);
        var sent = _host.Path.Sent.Count;

        using var stream = new FakePeerTransport();
        connecting.SetResult(stream);

        Assert.True(SpinWait.SpinUntil(() => stream.IsClosed, TimeSpan.FromSeconds(20)));
        Assert.Equal(sent, _host.Path.Sent.Count);
        Assert.DoesNotContain(
            _host.Measurements.Of("turn.requests"), request => request.Tags.Contains("=Connect ", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    public void ConnectionOfAPeer_IsToldToTheClient()
    {
        var client = Allocated();
        using var stream = new FakePeerTransport();

        _host.Host.PeerConnected(_host.AllocationOf(client), Peer, stream);

        var (address, octets) = _host.Path.Sent[^1];
        Assert.Equal(client.Flow.Client, address);
        Assert.Equal(StunMethod.ConnectionAttempt, new StunAnswer(octets).Message.Method);
        Assert.Equal(Peer, new StunAnswer(octets).Address(StunAttributeType.XorPeerAddress));
        Assert.False(stream.IsClosed);
        Assert.Empty(_host.Measurements.Of("turn.relay.drops"));
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    public void ConnectionOfAStranger_IsClosed_AndCounted()
    {
        var client = Allocated();
        using var stream = new FakePeerTransport();
        var sent = _host.Path.Sent.Count;

        _host.Host.PeerConnected(_host.AllocationOf(client), EngineClient.Peer("203.0.113.10:1"), stream);

        Assert.True(stream.IsClosed);
        Assert.Equal(1, _host.Drops(DropReason.NoPermission));
        Assert.Equal(sent, _host.Path.Sent.Count);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    public void ConnectionBind_IsAnswered_AndTheStreamCarriesTheConnection()
    {
        var client = Allocated();
        var id = Connect(client)!.Value(StunAttributeType.ConnectionId);
        var data = _host.Engine.NewClient(client.Credential, ClientTransport.Tcp);

        var answer = _host.Ask(data, StunMethod.ConnectionBind, StunRequest.Value(StunAttributeType.ConnectionId, id))!;

        Assert.Equal(StunError.None, answer.Error);
        Assert.Equal(BinaryPrimitives.ReadUInt32BigEndian(id), _host.Connection!.Id);
        Assert.Equal(data.Flow.Client, _host.Path.Sent[^1].Client);
        Assert.Equal(1, _host.Requests(StunMethod.ConnectionBind, StunError.None));
        Assert.Equal(
            StunError.BadRequest,
            _host.Ask(data, StunMethod.ConnectionBind, StunRequest.Value(StunAttributeType.ConnectionId, id))!.Error);
        Assert.Null(_host.Connection);
    }

    [Fact]
    [Requirement("RFC6062-5.5")]
    public void ConnectionThatEnds_IsClosedOnce_AndMayBeOpenedAgain()
    {
        var client = Allocated();
        var streams = new List<FakePeerTransport>();
        _host.Streams.Connect = () =>
        {
            streams.Add(new FakePeerTransport());
            return Task.FromResult<PeerTransport?>(streams[^1]);
        };
        var connection = Bound(client);

        _host.Host.PeerConnectionClosed(connection);
        _host.Host.PeerConnectionClosed(connection);
        Assert.True(streams[0].IsClosed);

        Assert.Equal(StunError.None, Connect(client)!.Error);
        Assert.False(streams[1].IsClosed);
        _host.Host.EndAll();
        Assert.True(streams[1].IsClosed);
    }

    [Fact]
    public void Octets_AreCountedInTheirDirection_AndAddedToTheAllocation()
    {
        var client = Allocated();
        var connection = Bound(client);

        Assert.Equal(TimeSpan.Zero, _host.Host.CountToPeer(connection, 100));
        Assert.Equal(TimeSpan.Zero, _host.Host.CountToPeer(connection, 20));
        Assert.Equal(TimeSpan.Zero, _host.Host.CountToClient(connection, 7));

        Assert.Equal((2, 120), _host.Relayed("to_peer"));
        Assert.Equal((1, 7), _host.Relayed("to_client"));
        var totals = _host.AllocationOf(client).Totals;
        Assert.Equal((120, 7), (totals.BytesToPeers, totals.BytesToClient));
    }

    [Fact]
    [Requirement("ABUSE-72")]
    public void OctetsAboveTheLimit_PauseTheirDirection()
    {
        using var host = new RecordedHost(traffic: new TrafficLimits(0, 1000));
        var client = host.Allocated(TcpTransport, ClientTransport.Tcp);
        var connection = Bound(client, host);

        Assert.True(host.Host.CountToPeer(connection, 5000) > TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, host.Host.CountToClient(connection, 1));
        Assert.True(host.Host.CountToClient(connection, 5000) > TimeSpan.Zero);
    }

    private EngineClient Allocated() => _host.Allocated(TcpTransport, ClientTransport.Tcp);

    private StunAnswer? Connect(EngineClient client, RecordedHost? host = null) =>
        (host ?? _host).Ask(client, StunMethod.Connect, StunRequest.Peer(RecordedHost.Peer));

    private PeerConnection Bound(EngineClient client, RecordedHost? host = null)
    {
        host ??= _host;
        var id = Connect(client, host)!.Value(StunAttributeType.ConnectionId);
        var data = host.Engine.NewClient(client.Credential, ClientTransport.Tcp);
        host.Ask(data, StunMethod.ConnectionBind, StunRequest.Value(StunAttributeType.ConnectionId, id));
        return host.Connection!;
    }
}
