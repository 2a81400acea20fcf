using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>
/// Another client's relay behind the same one-to-one NAT: it is bound to 10.0.0.1, and its client knows it as 8.8.4.4. Datagrams go to where
/// it is bound, and what comes from there is seen under its advertised address.
/// </summary>
[Requirement("NET-02")]
public sealed class HairpinTests
{
    private const string Bound = "10.0.0.1:50001";
    private const string Advertised = "8.8.4.4:50001";

    private static readonly RelayAddress Address = new(InternetAddress.Parse("10.0.0.1"), InternetAddress.Parse("8.8.4.4"));

    private readonly LiveRelays _relays = new(InternetAddress.Parse("10.0.0.1"), InternetAddress.Parse("8.8.4.4"));
    private readonly EngineFixture _fixture;

    public HairpinTests()
    {
        _relays.Add(Address, isTcp: false, 50001);
        _fixture = new EngineFixture(
            new EngineSettings { TcpRelays = true },
            peers: new PeerPolicy([], [], new HashSet<TransportAddress>(), _relays) { Machine = new HashSet<InternetAddress> { Address.Bound } });
    }

    [Theory]
    [InlineData(Advertised, Bound)]
    [InlineData(Bound, Bound)]
    [InlineData("8.8.8.8:50001", "8.8.8.8:50001")]
    public void Datagram_LeavesForWhereTheRelayIsBound(string peer, string destination)
    {
        var client = Client();
        Assert.True(client.CreatePermission(peer).IsSuccess);
        Assert.True(client.ChannelBind(0x4000, peer).IsSuccess);

        Assert.Equal(EngineClient.Peer(destination), client.Send(peer, [1]).Peer);
        Assert.Equal(EngineClient.Peer(destination), client.SendOnChannel(0x4000, [1]).Peer);
    }

    [Theory]
    [InlineData(Advertised, Bound, Advertised)]
    [InlineData(Advertised, "10.0.0.1:50002", null)]
    [InlineData(Bound, Bound, Bound)]
    [InlineData("8.8.8.8:9", Bound, null)]
    [InlineData("8.8.8.8:50001", "8.8.8.8:50001", "8.8.8.8:50001")]
    public void DatagramOfTheRelay_IsSeenUnderTheAddressThatTheClientPermitted(string permitted, string source, string? seen)
    {
        var client = Client();
        Assert.True(client.CreatePermission(permitted).IsSuccess);
        var message = _fixture.FromPeer(client, source, [1, 2, 3]);

        Assert.Equal(seen is null, message is null);
        if (seen is not null)
            Assert.Equal(EngineClient.Peer(seen), new StunAnswer(message!).Address(StunAttributeType.XorPeerAddress));
    }

    [Fact]
    public void DatagramOfTheRelay_ComesOnTheChannelOfItsAdvertisedAddress()
    {
        var client = Client();
        Assert.True(client.ChannelBind(0x4000, Advertised).IsSuccess);

        Assert.Equal(StunRequest.OnChannel(0x4000, [1, 2, 3]), _fixture.FromPeer(client, Bound, [1, 2, 3]));
    }

    [Fact]
    public void ErrorOfTheNetwork_NamesTheAdvertisedAddress()
    {
        var client = Client();
        Assert.True(client.CreatePermission(Advertised).IsSuccess);
        var message = new byte[TurnEngine.ReplyBufferLength];
        var outcome = _fixture.Engine.HandleIcmp(
            client.Allocation, EngineClient.Peer(Bound), new IcmpError(3, 3, 0), _fixture.Time, message);

        Assert.Equal(
            EngineClient.Peer(Advertised),
            new StunAnswer(message[..outcome.Length]).Address(StunAttributeType.XorPeerAddress));
    }

    [Fact]
    public void ClosedRelay_IsNeitherReachedNorSeen()
    {
        var client = Client();
        Assert.True(client.ChannelBind(0x4000, Advertised).IsSuccess);
        _relays.Remove(StunAddressFamily.IPv4, isTcp: false, 50001);

        Assert.Equal(DropReason.PeerForbidden, client.SendOnChannel(0x4000, [1]).DropReason);
        Assert.Null(_fixture.FromPeer(client, Bound, [1]));
    }

    [Fact]
    public void RelayMadeBeforeThePublicAddressChanged_IsReachedUnderItsOwn()
    {
        var later = new RelayAddress(Address.Bound, InternetAddress.Parse("8.8.4.5"));
        _relays.SetAddresses([later.Bound, later.Advertised]);
        _relays.Add(later, isTcp: false, 50002);
        var client = Client();
        Assert.True(client.CreatePermission(Advertised, "8.8.4.5:9").IsSuccess);

        Assert.Equal(EngineClient.Peer(Bound), client.Send(Advertised, [1]).Peer);
        Assert.Equal(EngineClient.Peer("10.0.0.1:50002"), client.Send("8.8.4.5:50002", [1]).Peer);
        Assert.Equal(DropReason.PeerForbidden, client.Send("8.8.4.5:50001", [1]).DropReason);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("RFC6062-5.3")]
    public void Connection_GoesToWhereTheRelayIsBound_AndComesFromItsAdvertisedAddress()
    {
        _relays.Add(Address, isTcp: true, 50001);
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(StunRequest.TcpTransport);
        Assert.True(client.CreatePermission(Advertised).IsSuccess);
        var attempt = _fixture.PeerConnects(client, Bound, new FakePeerTransport())!;
        Assert.Equal(EngineClient.Peer(Advertised), attempt.Address(StunAttributeType.XorPeerAddress));

        var other = _fixture.NewClient(transport: ClientTransport.Tcp);
        other.Allocate(StunRequest.TcpTransport);
        var outcome = _fixture.Route(other.Build(StunMethod.Connect, StunRequest.Peer(IPEndPoint.Parse(Advertised))), other.Flow);
        Assert.Equal((OutcomeKind.Connect, EngineClient.Peer(Bound)), (outcome.Kind, outcome.Peer));
        Assert.Equal(EngineClient.Peer(Advertised), outcome.Connection!.Peer);
    }

    [Fact]
    public void TcpRelay_IsNotTakenForTheUdpRelayOfItsPort()
    {
        _relays.Remove(StunAddressFamily.IPv4, isTcp: false, 50001);
        _relays.Add(Address, isTcp: true, 50001);
        var client = Client();
        Assert.True(client.CreatePermission(Advertised).IsSuccess);

        Assert.Equal(DropReason.PeerForbidden, client.Send(Advertised, [1]).DropReason);
        Assert.Null(_fixture.FromPeer(client, Bound, [1]));
    }

    private EngineClient Client()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        return client;
    }
}
