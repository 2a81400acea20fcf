using System.Text;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Tests.Common.Stun;

/// <summary>A copy of a message of the server.</summary>
public sealed class StunAnswer(byte[] octets)
{
    public byte[] Octets => octets;

    public StunMessageReader Message
    {
        get
        {
            Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(octets, out var message));
            return message;
        }
    }

    public bool IsSuccess => Message.Class == StunClass.SuccessResponse;

    /// <summary>The error code; None for a success.</summary>
    public StunError Error => Message.ErrorCode;

    /// <summary>Seconds of LIFETIME.</summary>
    public uint Lifetime =>
        Message.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime) ? lifetime : throw new InvalidOperationException("no LIFETIME");

    public bool HasIntegrity => Message.HasMessageIntegrity || Message.HasMessageIntegritySha256;

    public StunChallenge Challenge => new(Value(StunAttributeType.Realm), Value(StunAttributeType.Nonce));

    public bool Has(StunAttributeType type) => Message.Has(type);

    public byte[] Value(StunAttributeType type)
    {
        Assert.True(Message.TryGet(type, out var value), $"{type} is missing");
        return value.ToArray();
    }

    public string Text(StunAttributeType type) => Encoding.UTF8.GetString(Value(type));

    public TransportAddress Address(StunAttributeType type)
    {
        Assert.True(Message.TryGetXorAddress(type, out var address), $"{type} is missing");
        return address;
    }

    public List<TransportAddress> Addresses(StunAttributeType type)
    {
        List<TransportAddress> addresses = [];
        var message = Message;
        foreach (var attribute in message)
        {
            if (attribute.Type == type && message.TryDecodeXorAddress(attribute.Value, out var address)) addresses.Add(address);
        }

        return addresses;
    }

    public bool IsAnswerTo(ReadOnlySpan<byte> request) =>
        octets.Length >= StunHeader.Length && octets.AsSpan(8, TransactionId.Length).SequenceEqual(request.Slice(8, TransactionId.Length));
}
