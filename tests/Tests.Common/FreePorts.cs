using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// Ports of the loopback address for programs that cannot choose one. The range lies below the ephemeral range of the system and
/// below the range of the AppHost. Relays and outgoing connections therefore do not use these ports. Each port is returned once,
/// because another test may check the same port before the program of the first test listens on it.
/// </summary>
public static class FreePorts
{
    private const int First = 10_000;
    private const int Pairs = 5_000;

    // Test projects may run in parallel, so each starts at a random place.
    private static int _pair = Random.Shared.Next(Pairs);

    public static int Tcp() => Find(port => IsFree(port, SocketType.Stream, ProtocolType.Tcp));

    public static int Udp() => Find(port => IsFree(port, SocketType.Dgram, ProtocolType.Udp));

    /// <summary>One port that is free for both protocols, as a TURN server needs.</summary>
    public static int TcpAndUdp() => Find(IsFreeForBoth);

    /// <summary>An even port that is free for both protocols, as the next one is: RTP and RTCP.</summary>
    public static int EvenPair() => Find(port => IsFreeForBoth(port) && IsFreeForBoth(port + 1));

    private static int Find(Predicate<int> isFree)
    {
        while (true)
        {
            var port = First + 2 * (Interlocked.Increment(ref _pair) % Pairs);
            if (isFree(port)) return port;
        }
    }

    private static bool IsFreeForBoth(int port) =>
        IsFree(port, SocketType.Stream, ProtocolType.Tcp) && IsFree(port, SocketType.Dgram, ProtocolType.Udp);

    private static bool IsFree(int port, SocketType type, ProtocolType protocol)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, type, protocol);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
