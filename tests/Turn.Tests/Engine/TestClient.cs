using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

internal delegate void Attributes(ref StunMessageWriter request);

/// <summary>A client on one 5-tuple that signs what it sends.</summary>
internal sealed class TestClient(EngineBench bench, FiveTuple flow, TestCredential credential)
{
    private static readonly byte[] UdpTransport = [17, 0, 0, 0];

    private Allocation? _allocation;

    public FiveTuple Flow { get; } = flow;

    public TestCredential Credential { get; set; } = credential;

    public Allocation Allocation => _allocation ?? throw new InvalidOperationException("no allocation");

    public byte[] Nonce { get; set; } = [];

    /// <summary>An authenticated request; fetches a nonce first when there is none.</summary>
    public Answer? Request(StunMethod method, Attributes? attributes = null, bool withToken = true)
    {
        if (Nonce.Length == 0) Nonce = Challenge().Value(StunAttributeType.Nonce);
        return bench.Send(Build(method, attributes, withToken), Flow);
    }

    /// <summary>The 401 that a first request gets.</summary>
    public Answer Challenge() => Answered(bench.Send(Plain(StunMethod.Allocate, Transport), Flow));

    public byte[] Build(StunMethod method, Attributes? attributes = null, bool withToken = true, TransactionId? transaction = null)
    {
        var request = new StunMessageWriter(new byte[2048], method, StunClass.Request, transaction ?? NewTransaction());
        attributes?.Invoke(ref request);
        request.Write(StunAttributeType.Username, Encoding.UTF8.GetBytes(Credential.Username));
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm));
        request.Write(StunAttributeType.Nonce, Nonce);
        if (Credential.PasswordAlgorithm != 0)
        {
            request.Write(StunAttributeType.PasswordAlgorithms, [0, 2, 0, 0, 0, 1, 0, 0]);
            request.Write(StunAttributeType.PasswordAlgorithm, [0, (byte)Credential.PasswordAlgorithm, 0, 0]);
        }

        // RFC 7635 §9: in Allocate and Refresh alone.
        if (withToken && Credential.Token is { } token && method is (StunMethod.Allocate or StunMethod.Refresh))
            request.Write(StunAttributeType.AccessToken, token);
        Sign(ref request);
        return request.Written.ToArray();
    }

    public void Sign(ref StunMessageWriter request)
    {
        if (Credential.IsSha256) request.AddMessageIntegritySha256(Credential.Key);
        else request.AddMessageIntegrity(Credential.Key);
    }

    public bool Verifies(Answer answer) => Credential.IsSha256
        ? answer.Message.VerifyMessageIntegritySha256(Credential.Key)
        : answer.Message.VerifyMessageIntegrity(Credential.Key);

    public Answer? TryAllocate(Attributes? attributes = null)
    {
        var answer = Request(StunMethod.Allocate, attributes ?? Transport);
        if (answer?.IsSuccess == true) _allocation = bench.LastAllocation;
        return answer;
    }

    public Answer Allocate(Attributes? attributes = null)
    {
        var answer = Answered(TryAllocate(attributes));
        Assert.Equal(StunError.None, answer.Error);
        return answer;
    }

    public Answer Refresh(uint? lifetime = null, bool withToken = true) => Answered(Request(
        StunMethod.Refresh,
        (ref StunMessageWriter request) =>
        {
            if (lifetime is { } seconds) request.WriteUInt32(StunAttributeType.Lifetime, seconds);
        },
        withToken));

    public Answer CreatePermission(params string[] peers) => Answered(Request(
        StunMethod.CreatePermission,
        (ref StunMessageWriter request) =>
        {
            foreach (var peer in peers) request.WriteXorAddress(StunAttributeType.XorPeerAddress, Peer(peer));
        }));

    public Answer ChannelBind(ushort channel, string peer) => Answered(Request(
        StunMethod.ChannelBind,
        (ref StunMessageWriter request) =>
        {
            Span<byte> number = stackalloc byte[4];
            BinaryPrimitives.WriteUInt16BigEndian(number, channel);
            number[2..].Clear();
            request.Write(StunAttributeType.ChannelNumber, number);
            request.WriteXorAddress(StunAttributeType.XorPeerAddress, Peer(peer));
        }));

    /// <summary>What the engine does with a Send indication.</summary>
    public Outcome Send(string peer, byte[] payload, Attributes? more = null)
    {
        var indication = new StunMessageWriter(new byte[2048], StunMethod.Send, StunClass.Indication, NewTransaction());
        indication.WriteXorAddress(StunAttributeType.XorPeerAddress, Peer(peer));
        indication.Write(StunAttributeType.Data, payload);
        more?.Invoke(ref indication);
        return bench.Route(indication.Written.ToArray(), Flow);
    }

    public Outcome SendOnChannel(ushort channel, byte[] payload)
    {
        var message = new byte[ChannelData.HeaderLength + payload.Length];
        ChannelData.WriteHeader(message, channel, payload.Length);
        payload.CopyTo(message, ChannelData.HeaderLength);
        return bench.Route(message, Flow);
    }

    /// <summary>An Allocate for a relay of UDP, with one attribute more.</summary>
    public static Attributes Asking(StunAttributeType type, params byte[] value) => (ref StunMessageWriter request) =>
    {
        Transport(ref request);
        request.Write(type, value);
    };

    public static byte[] Plain(StunMethod method, Attributes? attributes = null, StunClass @class = StunClass.Request)
    {
        var request = new StunMessageWriter(new byte[2048], method, @class, NewTransaction());
        attributes?.Invoke(ref request);
        return request.Written.ToArray();
    }

    public static void Transport(ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, UdpTransport);

    public static TransportAddress Peer(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));

    public static TransactionId NewTransaction() => new(RandomNumberGenerator.GetBytes(TransactionId.Length));

    public static Answer Answered(Answer? answer)
    {
        Assert.NotNull(answer);
        return answer;
    }
}
