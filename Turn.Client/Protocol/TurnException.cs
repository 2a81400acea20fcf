namespace WebRtcIms.Turn.Client.Protocol;

/// <summary>The server refused a request or did not answer it, or the connection to it is lost.</summary>
public sealed class TurnException : Exception
{
    /// <summary>A failure without an error code of the server.</summary>
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

    /// <summary>The number in ERROR-CODE; <see cref="StunError.None"/> when the failure is not an answer of the server.</summary>
    public StunError Code { get; }

    /// <summary>The reason phrase in ERROR-CODE, as the server wrote it.</summary>
    public string Reason { get; } = "";
}
