using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>
/// Buffers for many messages, each with the engine's room before and behind it, and the headers with which one recvmmsg
/// fills them. They lie outside the garbage collector's heap, so that nothing has to be pinned.
/// </summary>
/// <remarks>A message is a datagram, or several of one sender and one size that the kernel put together (UDP_GRO).</remarks>
internal sealed unsafe class ReceiveBatch : IDisposable
{
    /// <summary>Messages at most.</summary>
    public const int Capacity = 64;

    // Not near a power of two: otherwise the starts of all messages would compete for the same few cache lines. Pages that no long
    // message has reached cost nothing.
    private const int Stride = ((TurnEngine.Headroom + LinuxWorker.MaxDatagram + TurnEngine.Tailroom + 63) / 64 + 11) * 64;

    private readonly byte* _buffers = Allocate<byte>(Capacity * Stride);
    private readonly byte* _names = Allocate<byte>(Capacity * NativeAddress.Room);
    private readonly byte* _controls = Allocate<byte>(Capacity * UdpSegments.ControlRoom);
    private readonly IoVector* _vectors = Allocate<IoVector>(Capacity);
    private readonly MultiMessageHeader* _headers = Allocate<MultiMessageHeader>(Capacity);

    public ReceiveBatch()
    {
        for (var i = 0; i < Capacity; i++)
        {
            _vectors[i] = new IoVector { Start = Payload(i), Length = LinuxWorker.MaxDatagram };
            _headers[i] = new MultiMessageHeader
            {
                Name = _names + (i * NativeAddress.Room),
                Vectors = _vectors + i,
                VectorCount = 1,
                Control = _controls + (i * UdpSegments.ControlRoom),
            };
        }
    }

    /// <summary>Receives into the slots from <paramref name="first"/> on, <paramref name="most"/> at most; returns how many.</summary>
    public int Receive(int descriptor, int first, int most)
    {
        for (var i = first; i < first + most; i++)
        {
            _headers[i].NameLength = NativeAddress.Room;
            _headers[i].ControlLength = UdpSegments.ControlRoom;
        }

        return Math.Max(0, Libc.ReceiveMany(descriptor, _headers + first, (uint)most, Libc.DontWait, null));
    }

    /// <summary>Where the message in a slot begins.</summary>
    public byte* Payload(int slot) => _buffers + ((long)slot * Stride) + TurnEngine.Headroom;

    public TransportAddress Sender(int slot) => NativeAddress.Read(_headers[slot].Name);

    public int Length(int slot) => (int)_headers[slot].Length;

    /// <summary>The length of each datagram of the message, but for the last, which may be shorter; of a lone one its own.</summary>
    public int DatagramLength(int slot)
    {
        var length = Length(slot);
        return UdpSegments.Read(_headers[slot].Control, _headers[slot].ControlLength) is > 0 and var merged
            ? Math.Min(merged, length) : length;
    }

    /// <summary>The octets of a message that is one datagram.</summary>
    public ReadOnlySpan<byte> Datagram(int slot) => new(Payload(slot), Length(slot));

    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffers);
        NativeMemory.AlignedFree(_names);
        NativeMemory.AlignedFree(_controls);
        NativeMemory.AlignedFree(_vectors);
        NativeMemory.AlignedFree(_headers);
    }

    private static T* Allocate<T>(int count)
        where T : unmanaged => (T*)NativeMemory.AlignedAlloc((nuint)(count * sizeof(T)), 64);
}
