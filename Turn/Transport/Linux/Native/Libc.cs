using System.Runtime.InteropServices;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>
/// The system calls that .NET's sockets do not offer: many datagrams in one call, and one wait for many sockets.
/// Structures are laid out as the 64-bit kernel has them (recvmmsg(2), sendmmsg(2), epoll(7), udp(7)).
/// </summary>
internal static unsafe partial class Libc
{
    public const int EpollControlAdd = 1;
    public const uint EpollIn = 1;
    public const uint EpollError = 8;
    public const int DontWait = 0x40;
    public const int ErrorQueue = 0x2000;
    public const int LevelSocket = 1;
    public const int ReusePort = 15;
    public const int SendBuffer = 7;
    public const int ReceiveBuffer = 8;
    public const int FamilyIPv4 = 2;
    public const int FamilyIPv6 = 10;
    public const int TypeDatagram = 2;
    public const int CloseOnExec = 0x80000;
    public const int LevelIPv4 = 0;
    public const int PathMtuDiscovery = 10;
    public const int PathMtuDont = 0;
    public const int PathMtuDo = 2;
    public const int OnlyIPv6 = 26;
    public const int LevelIPv6 = 41;
    public const int ReceiveErrorsIPv4 = 11;
    public const int ReceiveErrorsIPv6 = 25;
    public const int LevelUdp = 17;
    public const int UdpSegment = 103;
    public const int UdpGro = 104;

    public const int NoSignal = 0x4000;
    public const int ReadWrite = 3;
    public const int MapSharedPopulate = 0x8001;

    public const int Again = 11;
    public const int Interrupted = 4;
    public const int InputOutput = 5;
    public const int NoMemory = 12;
    public const int Invalid = 22;
    public const int TooManyFilesOfSystem = 23;
    public const int TooManyFiles = 24;
    public const int MessageTooLong = 90;
    public const int AddressInUse = 98;
    public const int AddressNotAvailable = 99;
    public const int NoBufferSpace = 105;

    /// <summary>epoll_event is packed on x86-64 alone, so its data stands at 4 there and at 8 elsewhere.</summary>
    public static readonly int EpollEventLength = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    public static readonly int EpollDataOffset = EpollEventLength - 8;

    public static int LastError => Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetSocketOption(int descriptor, int level, int name, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(int descriptor, byte* address, uint addressLength);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int EpollControl(int epoll, int operation, int descriptor, byte* epollEvent);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    public static partial int EpollWait(int epoll, byte* events, int maxEvents, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveMany(int descriptor, MultiMessageHeader* messages, uint count, int flags, void* timeout);

    [LibraryImport("libc", EntryPoint = "sendmmsg", SetLastError = true)]
    public static partial int SendMany(int descriptor, MultiMessageHeader* messages, uint count, int flags);

    [LibraryImport("libc", EntryPoint = "sendto", SetLastError = true)]
    public static partial nint SendTo(int descriptor, byte* start, nuint length, int flags, byte* address, uint addressLength);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial void* Map(void* address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    public static partial int EventDescriptor(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int descriptor, void* start, nuint length);

    // The C library does not wrap io_uring's calls. Their numbers are the same on all 64-bit systems.
    public static nint IoUringSetup(uint entries, RingParameters* parameters) =>
        SystemCall(425, (nint)entries, (nint)parameters, 0, 0, 0, 0);

    public static nint IoUringEnter(int ring, uint submit, uint complete, uint flags) =>
        SystemCall(426, ring, (nint)submit, (nint)complete, (nint)flags, 0, 0);

    public static nint IoUringRegister(int ring, uint operation, void* argument, uint count) =>
        SystemCall(427, ring, (nint)operation, (nint)argument, (nint)count, 0, 0);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third, nint fourth, nint fifth, nint sixth);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public byte* Start;
    public nuint Length;
}

/// <summary>struct mmsghdr: a struct msghdr and the length received.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal unsafe struct MultiMessageHeader
{
    [FieldOffset(0)]
    public byte* Name;

    [FieldOffset(8)]
    public uint NameLength;

    [FieldOffset(16)]
    public IoVector* Vectors;

    [FieldOffset(24)]
    public nuint VectorCount;

    [FieldOffset(32)]
    public byte* Control;

    [FieldOffset(40)]
    public nuint ControlLength;

    [FieldOffset(48)]
    public int Flags;

    [FieldOffset(56)]
    public uint Length;
}
