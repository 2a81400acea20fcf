namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>
/// How many datagrams can go as one message that the kernel cuts (UDP_SEGMENT, udp(7)): equal in size, except that the last may be
/// shorter. In the other direction, the kernel merges such datagrams into one message (UDP_GRO).
/// </summary>
internal unsafe struct UdpSegments
{
    /// <summary>struct cmsghdr (length, level, type) and a 16-bit segment size, padded.</summary>
    public const int ControlRoom = 24;

    private const int ControlHeader = 16;

    // The kernel takes 64 segments and 65,507 octets at most; a segment with its headers must fit the path's MTU.
    private const int MaxSegments = 64;
    private const int MaxLength = 65000;
    private const int MaxSegment = 1452;

    private readonly nuint _first;
    private nuint _total;
    private bool _isFull;

    public UdpSegments(nuint first)
    {
        _first = _total = first;
        _isFull = first is 0 or > MaxSegment;
        Count = 1;
    }

    public int Count { get; private set; }

    /// <summary>False when a datagram of this length cannot follow.</summary>
    public bool TryAdd(nuint length)
    {
        if (_isFull || Count == MaxSegments || length == 0 || length > _first || _total + length > MaxLength) return false;
        _total += length;
        _isFull = length < _first;
        Count++;
        return true;
    }

    /// <summary>Writes the control message that asks for it.</summary>
    public static void Write(byte* control, ushort size)
    {
        *(nuint*)control = ControlHeader + sizeof(ushort);
        *(int*)(control + 8) = Libc.LevelUdp;
        *(int*)(control + 12) = Libc.UdpSegment;
        *(ushort*)(control + ControlHeader) = size;
    }

    /// <summary>Lets the kernel put together what arrives at a socket; one that cannot goes on delivering one by one.</summary>
    public static void Merge(int descriptor)
    {
        var on = 1;
        _ = Libc.SetSocketOption(descriptor, Libc.LevelUdp, Libc.UdpGro, &on, sizeof(int));
    }

    /// <summary>The size of the datagrams of which a message was put together; 0 for one that came alone.</summary>
    public static int Read(byte* control, nuint length)
    {
        if (length < ControlHeader + sizeof(int)) return 0;
        return *(int*)(control + 8) == Libc.LevelUdp && *(int*)(control + 12) == Libc.UdpGro ? *(int*)(control + ControlHeader) : 0;
    }
}
