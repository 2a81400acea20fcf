using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Tests.Common.Stun;

/// <summary>Writes attributes of a message.</summary>
public delegate void WriteAttributes(ref StunMessageWriter message);

/// <summary>REALM and NONCE of a 401 or 438.</summary>
public sealed record StunChallenge(byte[] Realm, byte[] Nonce);

/// <summary>Builds the octets of requests and indications. It contains no assertions, because load generators also use it.</summary>
public static class StunRequest
{
    private const int MaxLength = 4096;

    /// <summary>A message without credentials.</summary>
    public static byte[] Plain(
        StunMethod method, WriteAttributes? attributes = null, StunClass @class = StunClass.Request, TransactionId? transaction = null)
    {
        var message = new StunMessageWriter(new byte[MaxLength], method, @class, transaction ?? NewTransaction());
        attributes?.Invoke(ref message);
        return message.Written.ToArray();
    }

    /// <summary>A request with credentials after its other attributes.</summary>
    public static byte[] Authenticated(
        StunMethod method,
        WriteAttributes? attributes,
        StunCredential credential,
        StunChallenge challenge,
        TransactionId? transaction = null) =>
        Plain(
            method,
            (ref StunMessageWriter request) =>
            {
                attributes?.Invoke(ref request);
                credential.Sign(ref request, method, challenge);
            },
            StunClass.Request,
            transaction);

    public static byte[] SendIndication(IPEndPoint peer, byte[] payload, WriteAttributes? more = null) =>
        Plain(StunMethod.Send, All(Peer(peer), Value(StunAttributeType.Data, payload), more), StunClass.Indication);

    /// <summary>A ChannelData message.</summary>
    public static byte[] OnChannel(ushort channel, ReadOnlySpan<byte> payload)
    {
        var message = new byte[ChannelData.HeaderLength + payload.Length];
        ChannelData.WriteHeader(message, channel, payload.Length);
        payload.CopyTo(message.AsSpan(ChannelData.HeaderLength));
        return message;
    }

    public static TransactionId NewTransaction() => new(RandomNumberGenerator.GetBytes(TransactionId.Length));

    /// <summary>REQUESTED-TRANSPORT for UDP.</summary>
    public static void UdpTransport(ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, [17, 0, 0, 0]);

    /// <summary>REQUESTED-TRANSPORT for UDP, and another attribute.</summary>
    public static WriteAttributes UdpWith(StunAttributeType type, params byte[] value) => All(UdpTransport, Value(type, value));

    /// <summary>REQUESTED-TRANSPORT for TCP (RFC 6062 §5.1).</summary>
    public static void TcpTransport(ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, [6, 0, 0, 0]);

    public static WriteAttributes Lifetime(uint seconds) =>
        (ref StunMessageWriter request) => request.WriteUInt32(StunAttributeType.Lifetime, seconds);

    public static WriteAttributes Peer(IPEndPoint peer) =>
        (ref StunMessageWriter request) => request.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer));

    public static WriteAttributes Channel(ushort channel, IPEndPoint peer) => All(
        (ref StunMessageWriter request) => request.WriteUInt32(StunAttributeType.ChannelNumber, (uint)channel << 16),
        Peer(peer));

    public static WriteAttributes Value(StunAttributeType type, params byte[] value) =>
        (ref StunMessageWriter request) => request.Write(type, value);

    public static WriteAttributes All(params WriteAttributes?[] writers) => (ref StunMessageWriter request) =>
    {
        foreach (var write in writers) write?.Invoke(ref request);
    };

    internal static byte[] Octets(string text) => Encoding.UTF8.GetBytes(text);
}
