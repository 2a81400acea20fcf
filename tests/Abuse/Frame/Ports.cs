namespace WebRtcIms.Abuse.Frame;

/// <summary>Ports of loopback.</summary>
internal static class Ports
{
    // Below the ports that the system gives to clients, and below those of relays.
    private const int First = 20_000;
    private const int Last = 32_000;

    private static int _next = Random.Shared.Next(First, Last);

    /// <summary>A port that is free for TCP and UDP.</summary>
    public static int Free()
    {
        while (true)
        {
            var port = First + (Interlocked.Increment(ref _next) % (Last - First));
            try
            {
                using var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                using var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
                tcp.Bind(new IPEndPoint(IPAddress.Loopback, port));
                udp.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken: try the next one.
            }
        }
    }

    public static bool IsOpen(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
