using System.Net;

namespace WebRtcIms.Turn.Client;

/// <summary>One datagram that a peer sent to the relayed transport address.</summary>
/// <param name="Peer">Who sent it.</param>
/// <param name="Data">What it carried; the receiver's own, empty for an empty datagram.</param>
public readonly record struct TurnDatagram(IPEndPoint Peer, ReadOnlyMemory<byte> Data);
