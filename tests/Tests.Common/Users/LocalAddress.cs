using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Tests.Common.Users;

/// <summary>Connections from an own address of the loopback network, so that many users of one machine count as many clients.</summary>
internal static class LocalAddress
{
    /// <summary>A handler whose connections come from this address; from any if it is null.</summary>
    public static SocketsHttpHandler HandlerFrom(IPAddress? from)
    {
        var handler = new SocketsHttpHandler();
        if (from is not null) handler.ConnectCallback = (context, cancel) => ConnectAsync(from, context.DnsEndPoint, cancel);
        return handler;
    }

    private static async ValueTask<Stream> ConnectAsync(IPAddress from, DnsEndPoint server, CancellationToken cancel)
    {
        var socket = new Socket(from.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.Bind(new IPEndPoint(from, 0));
            await socket.ConnectAsync(server.Host, server.Port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
