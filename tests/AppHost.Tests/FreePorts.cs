using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.AppHost.Tests;

internal static class FreePorts
{
    public static int Udp()
    {
        using var socket = HoldUdp();
        return Of(socket);
    }

    public static Socket HoldUdp()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    public static int Of(Socket socket) => ((IPEndPoint)socket.LocalEndPoint!).Port;
}
