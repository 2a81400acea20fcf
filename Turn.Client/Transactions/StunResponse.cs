using System.Text;

namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>A response, on the heap because it crosses threads.</summary>
internal sealed class StunResponse(byte[] octets)
{
    public StunMessageReader Message
    {
        get
        {
            _ = StunMessageReader.TryRead(octets, out var message);
            return message;
        }
    }

    /// <summary>The error code of the response; None for success. An error response without a code counts as 500.</summary>
    public StunError Error
    {
        get
        {
            var message = Message;
            if (message.Class == StunClass.SuccessResponse) return StunError.None;
            return message.ErrorCode is var code && code == StunError.None ? StunError.ServerError : code;
        }
    }

    /// <summary>The reason phrase: fewer than 128 characters (RFC 8489 §14.8), without control characters, for logs.</summary>
    public string Reason =>
        new([.. Encoding.UTF8.GetString(Message.ReasonPhrase).Where(character => !char.IsControl(character)).Take(127)]);
}
