using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// Ports of the loopback address for programs that must be told one. They lie below the ephemeral range of the system and below
/// the range of the AppHost, so that no relay and no outgoing connection takes one before its program has it. None is given
/// twice: between the question whether it is free and the start of its program another test may ask the same.
/// </summary>
public static class FreePorts
{
    private const int First = 10_000;
    private const int Pairs = 5_000;

    // Test projects may run beside each other, so each begins somewhere else.
    private static int _pair = Random.Shared.Next(Pairs);

    public static int Tcp() => Find(port => IsFree(port, SocketType.Stream, ProtocolType.Tcp));

    public static int Udp() => Find(port => IsFree(port, SocketType.Dgram, ProtocolType.Udp));

    /// <summary>One number that is free for both protocols, as a TURN server needs.</summary>
    public static int TcpAndUdp() => Find(IsFreeForBoth);

    /// <summary>An even number that is free for both protocols, and so is the next: RTP and RTCP.</summary>
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
