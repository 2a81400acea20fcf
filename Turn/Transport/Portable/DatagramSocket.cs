using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Transport.Portable;

/// <summary>
/// A bound UDP socket that hands every datagram to a callback and sends without waiting: listeners, and the relays of the portable
/// transport.
/// </summary>
internal sealed class DatagramSocket : IDisposable
{
    // Bursts of video fill the default of 208 KiB within milliseconds.
    public const int BufferSize = 1 << 20;

    // SIO_UDP_CONNRESET: Windows otherwise reports an ICMP error for an earlier datagram as an error of the next receive.
    private const int UdpConnectionReset = -1744830452;

    // SOL_SOCKET and SO_REUSEPORT. .NET has no names for them.
    private const int LinuxLevelSocket = 1;
    private const int LinuxReusePort = 15;

    // One for each thread and family, rewritten for each datagram.
    [ThreadStatic]
    private static SocketAddress? _destinationIPv4;

    [ThreadStatic]
    private static SocketAddress? _destinationIPv6;

    private readonly Lock _fragmentation = new();
    private readonly Socket _socket;
    private readonly AddressFamily _family;
    private readonly TurnMetrics? _metrics;

    /// <param name="endpoint">Where to bind.</param>
    /// <param name="metrics">Counts the datagrams that cannot be sent.</param>
    /// <param name="sharesPort">Several sockets of this process bind the same address, and the kernel spreads clients over them
    /// (Linux).</param>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public DatagramSocket(IPEndPoint endpoint, TurnMetrics? metrics = null, bool sharesPort = false)
    {
        (_family, _metrics) = (endpoint.AddressFamily, metrics);
        _socket = new Socket(_family, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            // A datagram that does not fit the buffer is lost. Waiting is not possible, because the server's gate may be held.
            _socket.Blocking = false;
            _socket.ReceiveBufferSize = BufferSize;
            _socket.SendBufferSize = BufferSize;
            if (OperatingSystem.IsWindows()) _socket.IOControl(UdpConnectionReset, [0, 0, 0, 0], null);
            if (sharesPort) _socket.SetRawSocketOption(LinuxLevelSocket, LinuxReusePort, [1, 0, 0, 0]);

            // RFC 8656 §14: DF is 0 unless a client asks for 1; Linux would set it to 1 for whatever fits the path as it knows it.
            if (_family == AddressFamily.InterNetwork && CanForbidFragments) _socket.DontFragment = false;
            _socket.Bind(endpoint);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where it is bound.</summary>
    public TransportAddress Local => TransportAddress.From((IPEndPoint)_socket.LocalEndPoint!);

    public int Descriptor => (int)_socket.SafeHandle.DangerousGetHandle();

    /// <summary>Whether DF can be chosen for IPv4 on this system.</summary>
    public static bool CanForbidFragments { get; } = TryForbidFragments();

    private SocketAddress Destination => _family == AddressFamily.InterNetworkV6
        ? _destinationIPv6 ??= SocketAddresses.Create(_family)
        : _destinationIPv4 ??= SocketAddresses.Create(_family);

    /// <summary>Called with the sender and a buffer that has the payload between <c>headroom</c> and <c>tailroom</c> free octets.</summary>
    public delegate void Receiver(in TransportAddress sender, Span<byte> buffer);

    /// <summary>Receives until the socket is closed.</summary>
    public async Task ReceiveAsync(int headroom, int tailroom, Receiver receiver)
    {
        const int LargestDatagram = ushort.MaxValue;
        var buffer = GC.AllocateUninitializedArray<byte>(headroom + LargestDatagram + tailroom);
        var sender = SocketAddresses.Create(_family);
        while (true)
        {
            try
            {
                var length = await _socket.ReceiveFromAsync(
                    buffer.AsMemory(headroom, LargestDatagram), SocketFlags.None, sender).ConfigureAwait(false);
                receiver(SocketAddresses.Read(sender), buffer.AsSpan(0, headroom + length + tailroom));
            }
            catch (Exception error) when (error is ObjectDisposedException
                || error is SocketException { SocketErrorCode: SocketError.OperationAborted })
            {
                return;
            }
            catch (SocketException)
            {
                // An ICMP error about an earlier datagram. The socket still works.
            }
        }
    }

    /// <summary>Sends without waiting. A datagram that cannot be sent is counted. It is lost, as any datagram may be.</summary>
    public void Send(in TransportAddress destination, ReadOnlySpan<byte> payload)
    {
        var address = Destination;
        SocketAddresses.Write(destination, address);
        try
        {
            // The asynchronous overload with a SocketAddress must not run twice at once on one socket; this one may.
            _socket.SendTo(payload, SocketFlags.None, address);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            CountNotSent();
        }
    }

    /// <summary>
    /// The same with DF set in the IPv4 header. Systems have an option of the socket for it, not of a single datagram. So it costs two
    /// more calls, and a datagram that another thread sends meanwhile may also have DF.
    /// </summary>
    public void SendUnfragmented(in TransportAddress destination, ReadOnlySpan<byte> payload)
    {
        lock (_fragmentation)
        {
            try
            {
                _socket.DontFragment = true;
                Send(destination, payload);
                _socket.DontFragment = false;
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                CountNotSent();
            }
        }
    }

    /// <summary>A datagram for this socket cannot be sent.</summary>
    public void CountNotSent() => _metrics?.CountDrops(DropReason.NotSent, 1);

    public void Dispose() => _socket.Dispose();

    private static bool TryForbidFragments()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.DontFragment = true;
            return true;
        }
        catch (Exception error) when (error is SocketException or PlatformNotSupportedException)
        {
            return false;
        }
    }
}
