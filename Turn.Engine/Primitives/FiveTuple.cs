using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Primitives;

/// <summary>What carries a client's messages.</summary>
public enum ClientTransport : byte
{
    /// <summary>Datagrams.</summary>
    Udp,

    /// <summary>A TCP connection.</summary>
    Tcp,

    /// <summary>TLS over TCP.</summary>
    Tls,

    /// <summary>DTLS over UDP.</summary>
    Dtls,
}

/// <summary>
/// What identifies an allocation: the client's and the server's transport address and the protocol between them (RFC 8656 §3).
/// </summary>
public readonly record struct FiveTuple(ClientTransport Transport, TransportAddress Client, TransportAddress Server)
{
    // Looked up for every packet of a client. The server's address is the same for nearly all.

    /// <summary>A hash without the server's address; equality compares all three.</summary>
    public override int GetHashCode() => HashCode.Combine(Client, Transport);

    /// <summary>Whether messages follow each other in a stream: TCP and TLS.</summary>
    public bool IsStream => Transport is ClientTransport.Tcp or ClientTransport.Tls;
}
