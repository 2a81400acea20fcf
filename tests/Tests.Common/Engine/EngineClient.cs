using System.Net;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Tests.Common.Engine;

/// <summary>A client of an engine on one 5-tuple, which signs its requests.</summary>
public sealed class EngineClient(EngineFixture fixture, FiveTuple flow, StunCredential credential)
{
    private static readonly byte[] Realm = Encoding.UTF8.GetBytes(EngineFixture.Realm);

    private Allocation? _allocation;

    public FiveTuple Flow { get; } = flow;

    public StunCredential Credential { get; set; } = credential;

    public Allocation Allocation => _allocation ?? throw new InvalidOperationException("no allocation");

    /// <summary>The nonce of the next request; empty before the first challenge.</summary>
    public byte[] Nonce { get; set; } = [];

    private StunChallenge Signing => new(Realm, Nonce);

    /// <summary>The key of the HMAC.</summary>
    public byte[] Key => Credential.KeyFor(Signing);

    /// <summary>Sends an authenticated request; gets a nonce first if there is none.</summary>
    public StunAnswer? Request(StunMethod method, WriteAttributes? attributes = null, bool withToken = true)
    {
        if (Nonce.Length == 0) Nonce = Challenge().Challenge.Nonce;
        return fixture.Send(Build(method, attributes, withToken), Flow);
    }

    /// <summary>The 401 that answers a first request.</summary>
    public StunAnswer Challenge() => Answered(fixture.Send(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport), Flow));

    public byte[] Build(StunMethod method, WriteAttributes? attributes = null, bool withToken = true, TransactionId? transaction = null) =>
        StunRequest.Authenticated(method, attributes, withToken ? Credential : Credential with { Token = null }, Signing, transaction);

    /// <summary>Adds only the integrity.</summary>
    public void Sign(ref StunMessageWriter request)
    {
        if (Credential.IsSha256) request.AddMessageIntegritySha256(Key);
        else request.AddMessageIntegrity(Key);
    }

    public bool Verifies(StunAnswer answer) => Credential.Verifies(answer.Message, Signing);

    public StunAnswer? TryAllocate(WriteAttributes? attributes = null)
    {
        var answer = Request(StunMethod.Allocate, attributes ?? StunRequest.UdpTransport);
        if (answer?.IsSuccess == true) _allocation = fixture.LastAllocation;
        return answer;
    }

    public StunAnswer Allocate(WriteAttributes? attributes = null)
    {
        var answer = Answered(TryAllocate(attributes));
        Assert.Equal(StunError.None, answer.Error);
        return answer;
    }

    public StunAnswer Refresh(uint? lifetime = null, bool withToken = true) =>
        Answered(Request(StunMethod.Refresh, lifetime is { } seconds ? StunRequest.Lifetime(seconds) : null, withToken));

    public StunAnswer CreatePermission(params string[] peers) => Answered(Request(
        StunMethod.CreatePermission, StunRequest.All([.. peers.Select(peer => StunRequest.Peer(IPEndPoint.Parse(peer)))])));

    public StunAnswer ChannelBind(ushort channel, string peer) =>
        Answered(Request(StunMethod.ChannelBind, StunRequest.Channel(channel, IPEndPoint.Parse(peer))));

    /// <summary>The outcome of a Send indication.</summary>
    public Outcome Send(string peer, byte[] payload, WriteAttributes? more = null) =>
        fixture.Route(StunRequest.SendIndication(IPEndPoint.Parse(peer), payload, more), Flow);

    public Outcome SendOnChannel(ushort channel, byte[] payload) => fixture.Route(StunRequest.OnChannel(channel, payload), Flow);

    public static TransportAddress Peer(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));

    public static StunAnswer Answered(StunAnswer? answer)
    {
        Assert.NotNull(answer);
        return answer;
    }
}
