using System.Net;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>What holds for the answers to all requests.</summary>
public sealed class AnswerTests
{
    private const string Peer = "203.0.113.9:7000";
    private const int HeadersOfIPv4AndUdp = 28;

    private readonly EngineBench _bench = new();

    [Fact]
    [Requirement("TURN-A36")]
    public void EveryAnswer_SaysTheSoftware()
    {
        var client = _bench.NewClient();
        Answer[] answers =
        [
            _bench.Send(TestClient.Plain(StunMethod.Binding), client.Flow)!,
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
        var flow = _bench.NewFlow();
        var allocate = TestClient.Plain(StunMethod.Allocate, TestClient.Transport);
        var challenge = _bench.Send(allocate, flow)!;
        var binding = TestClient.Plain(StunMethod.Binding);
        var mapped = _bench.Send(binding, flow)!;

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
        var client = _bench.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var octets = new byte[512];
        var request = new StunMessageWriter(octets, StunMethod.Allocate, StunClass.Request, TestClient.NewTransaction());
        TestClient.Transport(ref request);
        request.Write(StunAttributeType.Username, "alice"u8);
        octets.AsSpan(request.Length - 3, 3).Fill(0xFF);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm));
        octets.AsSpan(request.Length - 1, 1).Fill(0x20);
        request.Write(StunAttributeType.Nonce, client.Nonce);
        client.Sign(ref request);

        Assert.True(_bench.Send(request.Written.ToArray(), client.Flow)!.IsSuccess);
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
        var flow = _bench.NewFlow() with { Client = TransportAddress.From(IPEndPoint.Parse(source)) };

        foreach (var packet in new[] { TestClient.Plain(StunMethod.Binding), TestClient.Plain(StunMethod.Allocate, TestClient.Transport) })
        {
            Assert.Null(_bench.Send(packet, flow));
            Assert.Equal(DropReason.SourceForbidden, _bench.LastDrop);
        }
    }

    [Fact]
    [Requirement("ABUSE-19")]
    public void SourceWithThePortOfWhatTheServerDependsOn_IsAnswered()
    {
        var flow = _bench.NewFlow() with { Client = EngineBench.OwnAddress };

        Assert.True(_bench.Send(TestClient.Plain(StunMethod.Binding), flow)!.IsSuccess);
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

    private Answer Provoke(StunError error)
    {
        var client = _bench.NewClient();
        switch (error)
        {
            case StunError.Unauthenticated: return client.Challenge();
            case StunError.BadRequest: return client.TryAllocate((ref StunMessageWriter _) => { })!;
            case StunError.MobilityForbidden: return client.TryAllocate(TestClient.Asking(StunAttributeType.MobilityTicket))!;
            case StunError.UnknownAttribute: return client.TryAllocate(TestClient.Asking((StunAttributeType)0x7FFF))!;
            case StunError.AllocationMismatch: return client.Refresh();
            case StunError.UnsupportedTransportProtocol:
                return client.TryAllocate((ref StunMessageWriter request) =>
                    request.Write(StunAttributeType.RequestedTransport, [99, 0, 0, 0]))!;
            case StunError.AddressFamilyNotSupported:
                return client.TryAllocate(TestClient.Asking(StunAttributeType.RequestedAddressFamily, 3, 0, 0, 0))!;
            case StunError.StaleNonce:
                client.Nonce = Encoding.ASCII.GetBytes(new string('x', NonceIssuer.Length));
                return client.TryAllocate()!;
            case StunError.AllocationQuotaReached or StunError.ServerError or StunError.InsufficientCapacity:
                _bench.Decision = error;
                return client.TryAllocate()!;
            default: break;
        }

        client.Allocate();
        if (error == StunError.Forbidden) return client.CreatePermission("127.0.0.1:1");
        if (error == StunError.PeerAddressFamilyMismatch) return client.CreatePermission("[2001:db8::9]:1");
        Assert.Equal(StunError.WrongCredentials, error);
        client.Credential = TestCredential.Password("bob", "secret");
        return client.CreatePermission(Peer);
    }
}
