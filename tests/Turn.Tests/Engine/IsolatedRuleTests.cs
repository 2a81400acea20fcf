using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>Rules that another rule hides in most requests, each with a request that only this rule refuses.</summary>
public sealed class IsolatedRuleTests
{
    private const string Secret = "shared by all servers";

    private readonly EngineBench _bench = new();

    [Theory]
    [InlineData(true, StunError.None)]
    [InlineData(false, StunError.Unauthenticated)]
    [Requirement("RFC8489-9.2.4")]
    public void RequestWithBothIntegrities_IsJudgedByTheStronger(bool isRight, StunError error)
    {
        var client = _bench.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var request = new StunMessageWriter(new byte[2048], StunMethod.Allocate, StunClass.Request, TestClient.NewTransaction());
        TestClient.Transport(ref request);
        request.Write(StunAttributeType.Username, Encoding.UTF8.GetBytes(client.Credential.Username));
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm));
        request.Write(StunAttributeType.Nonce, client.Nonce);
        request.AddMessageIntegrity(client.Credential.Key);
        request.AddMessageIntegritySha256(isRight ? client.Credential.Key : new byte[client.Credential.Key.Length]);

        Assert.Equal(error, TestClient.Answered(_bench.Send(request.Written.ToArray(), client.Flow)).Error);
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
        var bench = new EngineBench(sharedSecret: Secret);
        var username = $"{bench.Time.Utc.ToUnixTimeSeconds() + secondsLeft}:carol";
        var password = Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(username)));
        var client = bench.NewClient(TestCredential.Password(username, password));

        Assert.Equal(error, TestClient.Answered(client.Request(method)).Error);
    }

    [Fact]
    public void StreamThatClosesWhileDeciding_LeavesNoReservedPort()
    {
        _bench.Waiting = [];
        var client = _bench.NewClient(transport: ClientTransport.Tcp);
        client.TryAllocate(TestClient.Asking(StunAttributeType.EvenPort, 0x80));
        _bench.Engine.StreamClosed(client.Flow);

        Assert.Null(_bench.Complete(Assert.Single(_bench.Waiting)));
        Assert.Equal(2, _bench.Relays.Count);
        Assert.All(_bench.Relays, relay => Assert.Equal(1, relay.Closed));
    }

    [Fact]
    public void StreamThatClosesWhileDeciding_LeavesNoPortThatItHadReserved()
    {
        var first = _bench.NewClient();
        var token = first.Allocate(TestClient.Asking(StunAttributeType.EvenPort, 0x80)).Value(StunAttributeType.ReservationToken);
        _bench.Waiting = [];
        var client = _bench.NewClient(transport: ClientTransport.Tcp);
        client.TryAllocate(TestClient.Asking(StunAttributeType.ReservationToken, token));
        _bench.Engine.StreamClosed(client.Flow);

        Assert.Null(_bench.Complete(Assert.Single(_bench.Waiting)));
        Assert.Equal([0, 1], _bench.Relays.Select(relay => relay.Closed));
    }

    [Fact]
    public void RefusedAllocateWithAReservation_ClosesTheReservedPort()
    {
        var first = _bench.NewClient();
        var token = first.Allocate(TestClient.Asking(StunAttributeType.EvenPort, 0x80)).Value(StunAttributeType.ReservationToken);
        _bench.Decision = StunError.AllocationQuotaReached;

        Assert.Equal(
            StunError.AllocationQuotaReached,
            _bench.NewClient().TryAllocate(TestClient.Asking(StunAttributeType.ReservationToken, token))!.Error);
        Assert.Equal([0, 1], _bench.Relays.Select(relay => relay.Closed));
    }
}
