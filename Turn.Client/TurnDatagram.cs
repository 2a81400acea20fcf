namespace WebRtcIms.Turn.Client;

/// <summary>One datagram that a peer sent to the relayed transport address.</summary>
/// <param name="Peer">The sender.</param>
/// <param name="Data">The payload, in memory that belongs to the receiver. Empty for an empty datagram.</param>
public readonly record struct TurnDatagram(IPEndPoint Peer, ReadOnlyMemory<byte> Data);
