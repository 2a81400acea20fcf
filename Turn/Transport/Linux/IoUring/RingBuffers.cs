using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>
/// Buffers that the kernel takes one by one as datagrams arrive. They are returned one iteration after their content was sent, because
/// until then a failed send can be retried.
/// </summary>
/// <remarks>
/// A buffer is laid out by the kernel: struct io_uring_recvmsg_out, room for the sender's address, the payload. The first two are
/// at once the engine's room before the payload, so the sender must be read before the engine writes there.
/// </remarks>
internal sealed unsafe class RingBuffers : IDisposable
{
    /// <summary>Datagrams at most, a power of two.</summary>
    public const int Capacity = 256;

    private const int HeaderLength = 16;
    private const int PayloadOffset = HeaderLength + NativeAddress.Room;
    private const int ReceivedLength = PayloadOffset + LinuxWorker.MaxDatagram;

    // Not near a power of two, so that the starts of all buffers do not compete for the same few cache lines. Pages that no long datagram
    // has reached cost nothing.
    private const int Stride = ((ReceivedLength + TurnEngine.Tailroom + 63) / 64 + 11) * 64;
    private const int EntryLength = 16;
    private const int TailOffset = 14;

    private readonly byte* _buffers = (byte*)NativeMemory.AlignedAlloc(Capacity * Stride, 64);

    // struct io_uring_buf_ring: entries of address, length and number; its tail lies in the first entry's unused octets.
    private readonly byte* _ring = (byte*)NativeMemory.AlignedAlloc(Capacity * EntryLength, 4096);
    private readonly int[] _held = new int[Capacity];
    private readonly int[] _heldBefore = new int[Capacity];
    private readonly MultiMessageHeader* _request = (MultiMessageHeader*)NativeMemory.AllocZeroed((nuint)sizeof(MultiMessageHeader));
    private int _heldCount;
    private int _heldBeforeCount;
    private ushort _tail;

    static RingBuffers()
    {
        if (PayloadOffset < TurnEngine.Headroom) throw new InvalidOperationException("the engine needs more room before a payload");
    }

    /// <exception cref="RingException">The kernel refuses.</exception>
    public RingBuffers(Ring ring, ushort group)
    {
        Group = group;
        NativeMemory.Clear(_ring, Capacity * EntryLength);
        for (var i = 0; i < Capacity; i++) GiveBack(i);
        Publish();
        _request->NameLength = NativeAddress.Room;
        ring.RegisterBuffers(_ring, Capacity, group);
    }

    public ushort Group { get; }

    /// <summary>Asks for all datagrams of a socket, from now on until a completion says that it has no more.</summary>
    public void Receive(Ring ring, int descriptor, ulong userData)
    {
        ref var submission = ref ring.Next();
        submission.Operation = RingSubmission.ReceiveMessage;
        submission.Flags = RingSubmission.SelectBuffer;
        submission.Options = RingSubmission.MultiShot;
        submission.Descriptor = descriptor;
        submission.Address = (ulong)_request;
        submission.Length = 1;
        submission.BufferGroup = Group;
        submission.UserData = userData;
    }

    /// <summary>Keeps a buffer from the kernel until the turn after this one ends.</summary>
    public void Hold(int buffer) => _held[_heldCount++] = buffer;

    /// <summary>A turn ends: gives back what the turn before held.</summary>
    public void EndTurn()
    {
        for (var i = 0; i < _heldBeforeCount; i++) GiveBack(_heldBefore[i]);
        if (_heldBeforeCount > 0) Publish();
        _held.AsSpan(0, _heldCount).CopyTo(_heldBefore);
        _heldBeforeCount = _heldCount;
        _heldCount = 0;
    }

    public byte* Payload(int buffer) => Start(buffer) + PayloadOffset;

    public int Length(int buffer) => (int)*(uint*)(Start(buffer) + 8);

    public TransportAddress Sender(int buffer) => NativeAddress.Read(Start(buffer) + HeaderLength);

    /// <summary>Only once the ring is closed.</summary>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffers);
        NativeMemory.AlignedFree(_ring);
        NativeMemory.Free(_request);
    }

    private byte* Start(int buffer) => _buffers + ((long)buffer * Stride);

    private void GiveBack(int buffer)
    {
        var entry = _ring + ((_tail & (Capacity - 1)) * EntryLength);
        *(byte**)entry = Start(buffer);
        *(uint*)(entry + 8) = ReceivedLength;
        *(ushort*)(entry + 12) = (ushort)buffer;
        _tail++;
    }

    private void Publish() => Volatile.Write(ref *(ushort*)(_ring + TailOffset), _tail);
}
