using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// Ports of the loopback address for programs that cannot choose one. The range lies below the ephemeral range of the system and
/// below the range of the AppHost. Relays and outgoing connections therefore do not use these ports. Each port is returned once, also by
/// test projects that run at the same time: another test may check the same port before the program of the first test listens on it.
/// </summary>
public static class FreePorts
{
    private const int First = 10_000;
    private const int Pairs = 5_000;

    private static readonly DirectoryInfo Folder =
        Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"webrtcims-test-ports-{Environment.UserName}"));

    // Open files, each with the lock on a port. They end with this process.
    private static readonly ConcurrentBag<FileStream> Locks = [];

    // Each test project starts at a random place, so that it finds a port soon.
    private static int _pair = Random.Shared.Next(Pairs);

    public static int Tcp() => Find(port => IsFree(port, SocketType.Stream, ProtocolType.Tcp));

    public static int Udp() => Find(port => IsFree(port, SocketType.Dgram, ProtocolType.Udp));

    /// <summary>One port that is free for both protocols, as a TURN server needs.</summary>
    public static int TcpAndUdp() => Find(IsFreeForBoth);

    /// <summary>An even port that is free for both protocols, as the next one is: RTP and RTCP.</summary>
    public static int EvenPair() => Find(port => IsFreeForBoth(port) && IsFreeForBoth(port + 1));

    /// <summary>
    /// The first of several ports in a row that are free for both protocols: the relay ports of a server. Each even port of the range is
    /// locked, because a server that uses a port which no lock covers takes it from the test that gets it next.
    /// </summary>
    public static int Range(int count) =>
        Find(first => Enumerable.Range(first, count).All(port => IsTaken(first, port) && IsFreeForBoth(port)));

    private static bool IsTaken(int first, int port) => port == first || port % 2 != 0 || TryLock(port);

    private static int Find(Predicate<int> isFree)
    {
        while (true)
        {
            var port = First + 2 * (Interlocked.Increment(ref _pair) % Pairs);
            if (TryLock(port) && isFree(port)) return port;
        }
    }

    private static bool TryLock(int port)
    {
        try
        {
            var path = Path.Combine(Folder.FullName, $"{port}");
            Locks.Add(new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 0));
            return true;
        }
        catch (IOException)
        {
            return false;
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
