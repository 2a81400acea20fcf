using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Primitives;

/// <summary>
/// The way back to a client: a UDP listener, the client's TCP or TLS stream, or its DTLS session. The engine only keeps it with the
/// allocation; its host sends.
/// </summary>
public abstract class ClientPath
{
    /// <summary>A stream that has ended: what is sent is lost.</summary>
    public static readonly ClientPath Closed = new ClosedPath();

    /// <summary>Sends or queues one message. Never waits and never throws: as over UDP, what cannot be sent is lost.</summary>
    public abstract void Send(in TransportAddress client, ReadOnlySpan<byte> message);

    private sealed class ClosedPath : ClientPath
    {
        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
        {
        }
    }
}

/// <summary>A 5-tuple with the way back to its client.</summary>
public sealed record ClientFlow(FiveTuple FiveTuple, ClientPath Path)
{
    /// <summary>Sends or queues one message to the client, under the rules of <see cref="ClientPath.Send"/>.</summary>
    public void Send(ReadOnlySpan<byte> message) => Path.Send(FiveTuple.Client, message);
}
