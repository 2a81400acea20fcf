using System.Runtime.InteropServices;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>struct io_uring_sqe, the fields that are used.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal unsafe struct RingSubmission
{
    public const byte SendMessage = 9;
    public const byte ReceiveMessage = 10;
    public const byte Cancel = 14;
    public const byte Read = 22;
    public const byte Send = 26;

    public const byte SelectBuffer = 1 << 5;
    public const byte SkipSuccess = 1 << 6;
    public const ushort MultiShot = 1 << 1;

    [FieldOffset(0)]
    public byte Operation;

    [FieldOffset(1)]
    public byte Flags;

    /// <summary>ioprio: the options of sends and receives.</summary>
    [FieldOffset(2)]
    public ushort Options;

    [FieldOffset(4)]
    public int Descriptor;

    /// <summary>Where a send goes: a socket address.</summary>
    [FieldOffset(8)]
    public byte* Name;

    /// <summary>The buffer, the struct msghdr, or the user data of what is to be cancelled.</summary>
    [FieldOffset(16)]
    public ulong Address;

    [FieldOffset(24)]
    public uint Length;

    [FieldOffset(28)]
    public uint MessageFlags;

    [FieldOffset(32)]
    public ulong UserData;

    [FieldOffset(40)]
    public ushort BufferGroup;

    [FieldOffset(44)]
    public ushort NameLength;
}

/// <summary>struct io_uring_cqe.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct RingCompletion
{
    private const uint FlagBuffer = 1;
    private const uint FlagMore = 2;

    public readonly ulong UserData;

    /// <summary>Octets, or an error number below zero.</summary>
    public readonly int Result;

    private readonly uint _flags;

    public bool HasBuffer => (_flags & FlagBuffer) != 0;

    /// <summary>What was asked for goes on; if not, it must be asked for again.</summary>
    public bool HasMore => (_flags & FlagMore) != 0;

    public int Buffer => (int)(_flags >> 16);
}

/// <summary>struct io_uring_params.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingParameters
{
    public uint SubmissionEntries;
    public uint CompletionEntries;
    public uint Flags;
    public uint ThreadProcessor;
    public uint ThreadIdle;
    public uint Features;
    public uint WorkQueue;
    public uint Reserved0;
    public uint Reserved1;
    public uint Reserved2;
    public SubmissionOffsets Submission;
    public CompletionOffsets Completion;

    /// <summary>struct io_sqring_offsets.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 40)]
    internal struct SubmissionOffsets
    {
        public uint Head;
        public uint Tail;
        public uint Mask;
        public uint Count;
        public uint Flags;
        public uint Dropped;
        public uint Array;
    }

    /// <summary>struct io_cqring_offsets.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 40)]
    internal struct CompletionOffsets
    {
        public uint Head;
        public uint Tail;
        public uint Mask;
        public uint Count;
        public uint Overflow;
        public uint Entries;
    }
}

/// <summary>struct io_uring_buf_reg.</summary>
[StructLayout(LayoutKind.Sequential, Size = 40)]
internal unsafe struct RingBufferRegistration
{
    public void* Ring;
    public uint Entries;
    public ushort Group;
}
