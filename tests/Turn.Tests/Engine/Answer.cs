using System.Text;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>A message of the server, as a value that outlives its buffer.</summary>
internal sealed class Answer
{
    private Answer(byte[] octets) => Octets = octets;

    public byte[] Octets { get; }

    public StunMessageReader Message
    {
        get
        {
            Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(Octets, out var message));
            return message;
        }
    }

    public StunError Error => Message.ErrorCode;

    public bool IsSuccess => Message.Class == StunClass.SuccessResponse;

    public uint Lifetime =>
        Message.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime) ? lifetime : throw new InvalidOperationException("no LIFETIME");

    public bool HasIntegrity => Message.HasMessageIntegrity || Message.HasMessageIntegritySha256;

    public static Answer Read(ReadOnlySpan<byte> octets) => new(octets.ToArray());

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
}
