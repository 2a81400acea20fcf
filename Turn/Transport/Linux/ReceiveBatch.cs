using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>
/// Buffers for many datagrams, each with the engine's room before and behind it, and the headers with which one recvmmsg
/// fills them. Outside the garbage collector's heap, so that nothing need be pinned.
/// </summary>
internal sealed unsafe class ReceiveBatch : IDisposable
{
    /// <summary>Datagrams at most.</summary>
    public const int Capacity = 64;

    // Whatever an interface of today delivers, jumbo frames included; what is longer is dropped as malformed.
    private const int MaxDatagram = 9216;
    private const int Stride = ((TurnEngine.Headroom + MaxDatagram + TurnEngine.Tailroom + 63) / 64) * 64;

    private readonly byte* _buffers = Allocate<byte>(Capacity * Stride);
    private readonly byte* _names = Allocate<byte>(Capacity * NativeAddress.Room);
    private readonly IoVector* _vectors = Allocate<IoVector>(Capacity);
    private readonly MultiMessageHeader* _headers = Allocate<MultiMessageHeader>(Capacity);

    public ReceiveBatch()
    {
        for (var i = 0; i < Capacity; i++)
        {
            _vectors[i] = new IoVector { Start = Payload(i), Length = MaxDatagram };
            _headers[i] = new MultiMessageHeader { Name = _names + (i * NativeAddress.Room), Vectors = _vectors + i, VectorCount = 1 };
        }
    }

    /// <summary>Receives into the slots from <paramref name="first"/> on, <paramref name="most"/> at most; returns how many.</summary>
    public int Receive(int descriptor, int first, int most)
    {
        for (var i = first; i < first + most; i++)
        {
            _headers[i].NameLength = NativeAddress.Room;
            _headers[i].Flags = 0;
        }

        return Math.Max(0, Libc.ReceiveMany(descriptor, _headers + first, (uint)most, Libc.DontWait, null));
    }

    /// <summary>Where the datagram in a slot begins.</summary>
    public byte* Payload(int slot) => _buffers + ((long)slot * Stride) + TurnEngine.Headroom;

    public bool IsTruncated(int slot) => (_headers[slot].Flags & Libc.Truncated) != 0;

    public TransportAddress Sender(int slot) => NativeAddress.Read(_headers[slot].Name);

    public ReadOnlySpan<byte> Datagram(int slot) => new(Payload(slot), (int)_headers[slot].Length);

    /// <summary>The datagram with the free octets around it.</summary>
    public Span<byte> WithRoom(int slot) => new(
        Payload(slot) - TurnEngine.Headroom, TurnEngine.Headroom + (int)_headers[slot].Length + TurnEngine.Tailroom);

    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffers);
        NativeMemory.AlignedFree(_names);
        NativeMemory.AlignedFree(_vectors);
        NativeMemory.AlignedFree(_headers);
    }

    private static T* Allocate<T>(int count)
        where T : unmanaged => (T*)NativeMemory.AlignedAlloc((nuint)(count * sizeof(T)), 64);
}
