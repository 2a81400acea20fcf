using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport;

/// <summary>What a server needs of the transport that it runs on: relays that are bound first and started once they are granted.</summary>
internal interface IRelayTransport
{
    /// <summary>Binds a relay's socket; <paramref name="onClosed"/> gives the port back.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The port is taken.</exception>
    Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed);

    /// <summary>Delivers what peers send to the allocation from now on. The server's gate is held.</summary>
    void Start(Relay relay, Allocation allocation);

    /// <summary>
    /// The way back to a client whose packet another worker has handed over: by a socket of this transport's own when the
    /// given path is a socket that only the other one may use.
    /// </summary>
    ClientPath PathFor(in FiveTuple flow, ClientPath path);
}
