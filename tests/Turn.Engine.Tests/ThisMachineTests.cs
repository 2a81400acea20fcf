using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>A client reaches the live relays of the server, and nothing else of its machine (RFC 8656 §21.1.7).</summary>
public sealed class ThisMachineTests
{
    private const string Relay = "192.0.2.1:50001";
    private const ushort Port = 50001;

    private static readonly RelayAddress Address = new(InternetAddress.Parse("192.0.2.1"), InternetAddress.Parse("8.8.4.4"));
    private static readonly RelayAddress AddressIPv6 = new(InternetAddress.Parse("::1"), InternetAddress.Parse("::1"));

    private readonly LiveRelays _relays = new(
        InternetAddress.Parse("192.0.2.1"), InternetAddress.Parse("8.8.4.4"), InternetAddress.Parse("::1"));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.0.9")]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("198.51.100.1")]
    [InlineData("9.9.9.9")]
    [InlineData("2001:db8::77")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:9.9.9.9")]
    [InlineData("::9.9.9.9")]
    [InlineData("64:ff9b::909:909")]
    [InlineData("2002:909:909::1")]
    [Requirement("SEC-13")]
    [Requirement("ABUSE-63")]
    [Requirement("TURN-B34")]
    public void AddressOfThisMachine_IsForbidden_InEveryForm_AlsoInAnAllowedNetwork(string address)
    {
        var policy = Policy("0.0.0.0/0", "::/0", "9.9.9.0/24", "198.51.100.0/24");

        Assert.False(policy.Allows(InternetAddress.Parse(address)));
        foreach (var isTcp in new[] { false, true })
            Assert.False(policy.MayReach(new TransportAddress(InternetAddress.Parse(address), Port), isTcp));
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("8.8.4.4")]
    [InlineData("::ffff:192.0.2.1")]
    [InlineData("64:ff9b::c000:201")]
    [InlineData("::1", StunAddressFamily.IPv6)]
    [Requirement("SEC-13")]
    [Requirement("TURN-B34")]
    public void AddressOfRelays_IsReachedAtTheirPorts_WhileTheyLive_AndOnlyOverTheirTransport(
        string address, StunAddressFamily family = StunAddressFamily.IPv4)
    {
        var policy = Policy("::ffff:0:0/96", "64:ff9b::/96");
        var peer = new TransportAddress(InternetAddress.Parse(address), Port);
        Assert.True(policy.Allows(peer.Address));
        Assert.False(policy.MayReach(peer));

        _relays.Add(family == StunAddressFamily.IPv4 ? Address : AddressIPv6, isTcp: false, Port);
        Assert.Equal((true, false), (policy.MayReach(peer), policy.MayReach(peer, isTcp: true)));
        Assert.False(policy.MayReach(peer with { Port = Port + 1 }));
        Assert.False(policy.MayReach(peer with { Port = Port - 32 }));
        _relays.Add(family == StunAddressFamily.IPv4 ? Address : AddressIPv6, isTcp: true, Port);
        _relays.Remove(family, isTcp: false, Port);
        Assert.Equal((false, true), (policy.MayReach(peer), policy.MayReach(peer, isTcp: true)));
        _relays.Remove(family, isTcp: true, Port);
        Assert.False(policy.MayReach(peer, isTcp: true));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.0/8", true)]
    [InlineData("::1", "::1/128", true)]
    [InlineData("127.0.0.1", "127.0.0.1/32", false)]
    [InlineData("127.0.0.1", "127.0.0.0/16", false)]
    [InlineData("192.0.2.1", "192.0.2.1/32", false)]
    [InlineData("9.9.9.9", "9.9.9.9/32", false)]
    [Requirement("SEC-13")]
    public void AllowedRange_OpensThisMachine_OnlyIfItIsTheWholeLoopback(string address, string range, bool isOpen)
    {
        var peer = new TransportAddress(InternetAddress.Parse(address), 5353);

        foreach (var isTcp in new[] { false, true })
        {
            Assert.Equal(isOpen, Policy(range).MayReach(peer, isTcp));
            Assert.False(Policy(range).MayReach(peer with { Port = 8083 }, isTcp));
        }
    }

    [Fact]
    [Requirement("SEC-13")]
    public void OpenMachine_IsLikeOthers_ExceptForTheServersOwnPorts()
    {
        var policy = new PeerPolicy(
            [], [], new HashSet<TransportAddress> { EngineClient.Peer("0.0.0.0:8083") }, _relays, opensMachine: true)
        {
            Machine = new HashSet<InternetAddress> { InternetAddress.Parse("9.9.9.9"), InternetAddress.Parse("10.0.0.1") },
        };

        Assert.True(policy.Allows(InternetAddress.Parse("9.9.9.9")));
        Assert.True(policy.MayReach(EngineClient.Peer("9.9.9.9:5353")));
        Assert.False(policy.MayReach(EngineClient.Peer("9.9.9.9:8083")));
        Assert.False(policy.Allows(InternetAddress.Parse("10.0.0.1")));
        Assert.False(policy.Allows(InternetAddress.Parse("127.0.0.1")));
    }

    [Fact]
    [Requirement("SEC-13")]
    public void AddressOfRelays_MayBeDenied()
    {
        var policy = new PeerPolicy([], [AddressRange.Parse("192.0.2.0/24")], new HashSet<TransportAddress>(), _relays);

        Assert.False(policy.Allows(InternetAddress.Parse("192.0.2.1")));
    }

    [Fact]
    [Requirement("SEC-13")]
    [Requirement("RFC8656-9")]
    public void Permission_ForTheAddressOfRelays_IsGrantedBeforeTheyLive_AndDataReachesOnlyTheLive()
    {
        var client = NewClient();
        Assert.True(client.CreatePermission(Relay).IsSuccess);
        Assert.Equal(DropReason.PeerForbidden, client.Send(Relay, [1]).DropReason);
        Assert.Equal(StunError.Forbidden, client.ChannelBind(0x4000, Relay).Error);

        _relays.Add(Address, isTcp: false, Port);
        Assert.Equal(OutcomeKind.ToPeer, client.Send(Relay, [1]).Kind);
        Assert.True(client.ChannelBind(0x4000, Relay).IsSuccess);
        Assert.Equal(OutcomeKind.ToPeer, client.SendOnChannel(0x4000, [1]).Kind);
        Assert.Equal(DropReason.PeerForbidden, client.Send("192.0.2.1:53", [1]).DropReason);
        Assert.Equal(DropReason.PeerForbidden, client.Send("192.0.2.1:3478", [1]).DropReason);

        // Another program may have the port now.
        _relays.Remove(StunAddressFamily.IPv4, isTcp: false, Port);
        Assert.Equal(DropReason.PeerForbidden, client.SendOnChannel(0x4000, [1]).DropReason);
        Assert.Equal(DropReason.PeerForbidden, client.Send(Relay, [1]).DropReason);
        Assert.Equal(StunError.Forbidden, client.ChannelBind(0x4000, Relay).Error);
    }

    [Theory]
    [InlineData("127.0.0.1:53")]
    [InlineData("0.0.0.0:5354")]
    [InlineData("198.51.100.1:22")]
    [InlineData("9.9.9.9:22")]
    [Requirement("SEC-13")]
    [Requirement("RFC8656-10.2")]
    public void OtherAddressOfThisMachine_Is403(string peer)
    {
        var client = NewClient();

        Assert.Equal(StunError.Forbidden, client.CreatePermission(peer).Error);
        Assert.Equal(StunError.Forbidden, client.ChannelBind(0x4000, peer).Error);
    }

    [Fact]
    [Requirement("SEC-13")]
    [Requirement("RFC6062-5.2")]
    public void Connect_ToThisMachine_IsForLiveTcpRelaysAlone()
    {
        var client = NewClient(ClientTransport.Tcp);
        StunError? Connect(string peer) =>
            client.Request(StunMethod.Connect, StunRequest.Peer(System.Net.IPEndPoint.Parse(peer)))?.Error;
        _relays.Add(Address, isTcp: false, Port);

        Assert.Equal(StunError.Forbidden, Connect(Relay));
        Assert.Equal(StunError.Forbidden, Connect("192.0.2.1:8081"));
        Assert.Equal(StunError.Forbidden, Connect("127.0.0.1:8081"));
        Assert.Equal(StunError.Forbidden, Connect("9.9.9.9:22"));
        _relays.Add(Address, isTcp: true, Port);
        Assert.Null(Connect(Relay));
        Assert.NotNull(_fixture!.Connection);
    }

    [Fact]
    [Requirement("SEC-13")]
    public void DataToARelay_CostsNoGarbage()
    {
        _relays.Add(Address, isTcp: false, Port);
        var client = NewClient();
        client.ChannelBind(0x4000, Relay);
        var (onChannel, indication) = (
            StunRequest.OnChannel(0x4000, [1]), StunRequest.SendIndication(System.Net.IPEndPoint.Parse(Relay), [1], null));
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var allocated = Garbage.Of(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                _fixture!.Engine.HandleClient(onChannel, client.Flow, _fixture.Path, _fixture.Time, reply);
                _fixture.Engine.HandleClient(indication, client.Flow, _fixture.Path, _fixture.Time, reply);
            }
        });
        Assert.Equal(0, allocated);
    }

    private EngineFixture? _fixture;

    private EngineClient NewClient(ClientTransport transport = ClientTransport.Udp)
    {
        _fixture = new EngineFixture(new EngineSettings { TcpRelays = true }, peers: Policy("203.0.113.0/24"));
        var client = _fixture.NewClient(transport: transport);
        client.Allocate(transport == ClientTransport.Udp ? null : StunRequest.TcpTransport);
        return client;
    }

    private PeerPolicy Policy(params string[] allowed) => new(
        [.. allowed.Select(AddressRange.Parse)], [],
        new HashSet<TransportAddress> { EngineClient.Peer("0.0.0.0:8083"), EngineClient.Peer("[::]:8083") },
        _relays)
    {
        Machine = new HashSet<InternetAddress>
        {
            InternetAddress.Parse("198.51.100.1"), InternetAddress.Parse("9.9.9.9"), InternetAddress.Parse("2001:db8::77"),
            InternetAddress.Parse("192.0.2.1"),
        },
    };
}
