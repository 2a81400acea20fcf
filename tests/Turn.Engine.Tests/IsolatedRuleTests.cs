using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Rules that another rule hides in most requests, each with a request that only this rule refuses.</summary>
public sealed class IsolatedRuleTests
{
    private const string Secret = "shared by all servers";

    private readonly EngineFixture _fixture = new();

    [Theory]
    [InlineData(true, StunError.None)]
    [InlineData(false, StunError.Unauthenticated)]
    [Requirement("RFC8489-9.2.4")]
    public void RequestWithBothIntegrities_IsJudgedByTheStronger(bool isRight, StunError error)
    {
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var request = new StunMessageWriter(new byte[2048], StunMethod.Allocate, StunClass.Request, StunRequest.NewTransaction());
        StunRequest.UdpTransport(ref request);
        request.Write(StunAttributeType.Username, client.Credential.Username);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm));
        request.Write(StunAttributeType.Nonce, client.Nonce);
        request.AddMessageIntegrity(client.Key);
        request.AddMessageIntegritySha256(isRight ? client.Key : new byte[client.Key.Length]);

        Assert.Equal(error, EngineClient.Answered(_fixture.Send(request.Written.ToArray(), client.Flow)).Error);
    }

    /// <summary>An Allocate is also refused because no lifetime is left; these requests have none.</summary>
    [Theory]
    [InlineData(StunMethod.CreatePermission, 0, StunError.Unauthenticated)]
    [InlineData(StunMethod.ChannelBind, 0, StunError.Unauthenticated)]
    [InlineData(StunMethod.Refresh, 0, StunError.Unauthenticated)]
    [InlineData(StunMethod.CreatePermission, 1, StunError.AllocationMismatch)]
    [InlineData(StunMethod.Refresh, 1, StunError.AllocationMismatch)]
    internal void EphemeralUserThatEnded_ProvesNothing_InEveryRequest(StunMethod method, int secondsLeft, StunError error)
    {
        var fixture = new EngineFixture(sharedSecret: Secret);
        var username = $"{fixture.Time.Utc.ToUnixTimeSeconds() + secondsLeft}:carol";
        var client = fixture.NewClient(StunCredential.Ephemeral(username, Secret));

        Assert.Equal(error, EngineClient.Answered(client.Request(method)).Error);
    }

    [Fact]
    public void StreamThatClosesWhileDeciding_LeavesNoReservedPort()
    {
        _fixture.Waiting = [];
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.TryAllocate(StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80));
        _fixture.Engine.StreamClosed(client.Flow);

        Assert.Null(_fixture.Complete(Assert.Single(_fixture.Waiting)));
        Assert.Equal(2, _fixture.Relays.Count);
        Assert.All(_fixture.Relays, relay => Assert.Equal(1, relay.Closed));
    }

    [Fact]
    public void StreamThatClosesWhileDeciding_LeavesNoPortThatItHadReserved()
    {
        var first = _fixture.NewClient();
        var token = first.Allocate(StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80)).Value(StunAttributeType.ReservationToken);
        _fixture.Waiting = [];
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.TryAllocate(StunRequest.UdpWith(StunAttributeType.ReservationToken, token));
        _fixture.Engine.StreamClosed(client.Flow);

        Assert.Null(_fixture.Complete(Assert.Single(_fixture.Waiting)));
        Assert.Equal([0, 1], _fixture.Relays.Select(relay => relay.Closed));
    }

    [Fact]
    public void RefusedAllocateWithAReservation_ClosesTheReservedPort()
    {
        var first = _fixture.NewClient();
        var token = first.Allocate(StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80)).Value(StunAttributeType.ReservationToken);
        _fixture.Decision = StunError.AllocationQuotaReached;

        Assert.Equal(
            StunError.AllocationQuotaReached,
            _fixture.NewClient().TryAllocate(StunRequest.UdpWith(StunAttributeType.ReservationToken, token))!.Error);
        Assert.Equal([0, 1], _fixture.Relays.Select(relay => relay.Closed));
    }
}
