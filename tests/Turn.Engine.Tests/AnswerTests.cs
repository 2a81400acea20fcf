using System.Net;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What holds for the answers to all requests.</summary>
public sealed class AnswerTests
{
    private const string Peer = "203.0.113.9:7000";
    private const int HeadersOfIPv4AndUdp = 28;

    private readonly EngineFixture _fixture = new();

    [Fact]
    [Requirement("TURN-A36")]
    public void EveryAnswer_SaysTheSoftware()
    {
        var client = _fixture.NewClient();
        StunAnswer[] answers =
        [
            _fixture.Send(StunRequest.Plain(StunMethod.Binding), client.Flow)!,
            client.Challenge(),
            client.Request(StunMethod.Refresh)!,
            client.Allocate(),
            client.TryAllocate()!,
            client.CreatePermission(Peer),
            client.CreatePermission("127.0.0.1:1"),
            client.ChannelBind(0x4000, Peer),
            client.Refresh(),
            client.Refresh(0),
        ];

        Assert.All(answers, answer => Assert.Equal("WebRtcIms", answer.Text(StunAttributeType.Software)));
    }

    [Fact]
    [Requirement("TURN-A37")]
    public void AnswersToStrangers_AreNotMuchLongerThanTheirRequests()
    {
        var flow = _fixture.NewFlow();
        var allocate = StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport);
        var challenge = _fixture.Send(allocate, flow)!;
        var binding = StunRequest.Plain(StunMethod.Binding);
        var mapped = _fixture.Send(binding, flow)!;

        // As the victim's line sees them, with the headers of IPv4 and UDP.
        Assert.InRange(OnTheWire(challenge.Octets), 1, 3.6 * OnTheWire(allocate));
        Assert.InRange(OnTheWire(mapped.Octets), 1, 2 * OnTheWire(binding));

        // How many there are is bounded as well: see ChallengeBudgetTests.
        static int OnTheWire(byte[] datagram) => HeadersOfIPv4AndUdp + datagram.Length;
    }

    [Fact]
    [Requirement("ABUSE-8")]
    public void PaddingThatIsNotZero_IsIgnored()
    {
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var octets = new byte[512];
        var request = new StunMessageWriter(octets, StunMethod.Allocate, StunClass.Request, StunRequest.NewTransaction());
        StunRequest.UdpTransport(ref request);
        request.Write(StunAttributeType.Username, "alice"u8);
        octets.AsSpan(request.Length - 3, 3).Fill(0xFF);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm));
        octets.AsSpan(request.Length - 1, 1).Fill(0x20);
        request.Write(StunAttributeType.Nonce, client.Nonce);
        client.Sign(ref request);

        Assert.True(_fixture.Send(request.Written.ToArray(), client.Flow)!.IsSuccess);
    }

    [Theory]
    [InlineData("198.51.100.7:0")]
    [InlineData("192.0.2.1:3478")]
    [InlineData("203.0.113.1:3478")]
    [InlineData("224.0.0.1:5000")]
    [InlineData("255.255.255.255:5000")]
    [InlineData("[ff02::1]:5000")]
    [Requirement("ABUSE-19")]
    public void SourceThatCannotBeAnswered_GetsNothing(string source)
    {
        var flow = _fixture.NewFlow() with { Client = TransportAddress.From(IPEndPoint.Parse(source)) };

        byte[][] packets = [StunRequest.Plain(StunMethod.Binding), StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport)];
        foreach (var packet in packets)
        {
            Assert.Null(_fixture.Send(packet, flow));
            Assert.Equal(DropReason.SourceForbidden, _fixture.LastDrop);
        }
    }

    [Fact]
    [Requirement("ABUSE-19")]
    public void SourceWithThePortOfWhatTheServerDependsOn_IsAnswered()
    {
        var flow = _fixture.NewFlow() with { Client = EngineFixture.OwnAddress };

        Assert.True(_fixture.Send(StunRequest.Plain(StunMethod.Binding), flow)!.IsSuccess);
    }

    /// <summary>Each error code of RFC 8489 and RFC 8656 that an engine gives, from a request that calls for it.</summary>
    [Theory]
    [InlineData(StunError.BadRequest)]
    [InlineData(StunError.Unauthenticated)]
    [InlineData(StunError.Forbidden)]
    [InlineData(StunError.MobilityForbidden)]
    [InlineData(StunError.UnknownAttribute)]
    [InlineData(StunError.AllocationMismatch)]
    [InlineData(StunError.StaleNonce)]
    [InlineData(StunError.AddressFamilyNotSupported)]
    [InlineData(StunError.WrongCredentials)]
    [InlineData(StunError.UnsupportedTransportProtocol)]
    [InlineData(StunError.PeerAddressFamilyMismatch)]
    [InlineData(StunError.AllocationQuotaReached)]
    [InlineData(StunError.ServerError)]
    [InlineData(StunError.InsufficientCapacity)]
    [Requirement("TURN-B35")]
    [Requirement("TURN-A34")]
    public void ErrorCode_IsGivenWhereItsClauseSays(StunError error)
    {
        var answer = Provoke(error);

        Assert.Equal(StunClass.ErrorResponse, answer.Message.Class);
        Assert.Equal(error, answer.Error);
        Assert.Equal(Encoding.UTF8.GetString(error.ReasonPhrase()), Encoding.UTF8.GetString(answer.Message.ReasonPhrase));
    }

    private StunAnswer Provoke(StunError error)
    {
        var client = _fixture.NewClient();
        switch (error)
        {
            case StunError.Unauthenticated: return client.Challenge();
            case StunError.BadRequest: return client.TryAllocate((ref StunMessageWriter _) => { })!;
            case StunError.MobilityForbidden: return client.TryAllocate(StunRequest.UdpWith(StunAttributeType.MobilityTicket))!;
            case StunError.UnknownAttribute: return client.TryAllocate(StunRequest.UdpWith((StunAttributeType)0x7FFF))!;
            case StunError.AllocationMismatch: return client.Refresh();
            case StunError.UnsupportedTransportProtocol:
                return client.TryAllocate((ref StunMessageWriter request) =>
                    request.Write(StunAttributeType.RequestedTransport, [99, 0, 0, 0]))!;
            case StunError.AddressFamilyNotSupported:
                return client.TryAllocate(StunRequest.UdpWith(StunAttributeType.RequestedAddressFamily, 3, 0, 0, 0))!;
            case StunError.StaleNonce:
                client.Nonce = Encoding.ASCII.GetBytes(new string('x', NonceIssuer.Length));
                return client.TryAllocate()!;
            case StunError.AllocationQuotaReached or StunError.ServerError or StunError.InsufficientCapacity:
                _fixture.Decision = error;
                return client.TryAllocate()!;
            default: break;
        }

        client.Allocate();
        if (error == StunError.Forbidden) return client.CreatePermission("127.0.0.1:1");
        if (error == StunError.PeerAddressFamilyMismatch) return client.CreatePermission("[2001:db8::9]:1");
        Assert.Equal(StunError.WrongCredentials, error);
        client.Credential = StunCredential.Password("bob", "secret");
        return client.CreatePermission(Peer);
    }
}
