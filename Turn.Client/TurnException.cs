using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Client;

/// <summary>The server refused a request, did not answer it, or is gone.</summary>
public sealed class TurnException : Exception
{
    public TurnException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    internal TurnException(StunMethod method, StunError code, string reason)
        : base($"The TURN server refused {method}: {(int)code} {reason}")
    {
        Code = code;
        Reason = reason;
    }

    /// <summary>The number in ERROR-CODE; <see cref="StunError.None"/> when no answer of the server is the cause.</summary>
    public StunError Code { get; }

    /// <summary>The reason phrase in ERROR-CODE, in the server's words.</summary>
    public string Reason { get; } = "";
}
