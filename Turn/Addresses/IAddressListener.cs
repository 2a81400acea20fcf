using System.Net;

namespace WebRtcIms.Turn.Addresses;

/// <summary>Listens on addresses that come and go, on one port.</summary>
internal interface IAddressListener
{
    /// <summary>Listens on an address.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The address cannot be bound.</exception>
    void Open(IPAddress address);

    /// <summary>Stops listening on an address that this machine has not had for a long time.</summary>
    void Close(IPAddress address);

    /// <summary>The port, for messages.</summary>
    int Port { get; }
}
