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

    public bool IsAnswerTo(ReadOnlySpan<byte> request) =>
        octets.Length >= StunHeader.Length && octets.AsSpan(8, TransactionId.Length).SequenceEqual(request.Slice(8, TransactionId.Length));
}
