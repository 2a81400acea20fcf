using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine;

/// <summary>What carries a client's messages.</summary>
internal enum ClientTransport : byte
{
    Udp,
    Tcp,
    Tls,
    Dtls,
}

/// <summary>
/// What identifies an allocation: the client's and the server's transport address and the protocol between them (RFC 8656 §3).
/// </summary>
internal readonly record struct FiveTuple(ClientTransport Transport, TransportAddress Client, TransportAddress Server)
{
    // Looked up for every packet of a client. The server's address is the same for nearly all.
    public override int GetHashCode() => HashCode.Combine(Client, Transport);

    public bool IsStream => Transport is ClientTransport.Tcp or ClientTransport.Tls;
}

/// <summary>
/// The way back to a client: a UDP listener, the client's TCP or TLS stream, or its DTLS session. The engine only keeps it with the
/// allocation; its host sends.
/// </summary>
internal abstract class ClientPath
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
internal sealed record ClientFlow(FiveTuple FiveTuple, ClientPath Path)
{
    public void Send(ReadOnlySpan<byte> message) => Path.Send(FiveTuple.Client, message);
}
