using System.Runtime.InteropServices;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>Datagrams that arrived as one message, copied apart so that each has the engine's room before and behind it.</summary>
internal sealed unsafe class DatagramsApart : IDisposable
{
    // Several messages of the most octets.
    private const int Capacity = 8 * LinuxWorker.MaxDatagram;

    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(Capacity, 64);
    private int _used;

    /// <summary>Whether a datagram of this length fits. After <see cref="Clear"/> every one does.</summary>
    public bool HasRoom(int length) => _used + RoomFor(length) <= Capacity;

    /// <summary>Returns where the copy begins; it stays there until <see cref="Clear"/>.</summary>
    public byte* Copy(byte* start, int length)
    {
        var copy = _buffer + _used + TurnEngine.Headroom;
        Buffer.MemoryCopy(start, copy, length, length);
        _used += RoomFor(length);
        return copy;
    }

    /// <summary>All have been sent.</summary>
    public void Clear() => _used = 0;

    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    private static int RoomFor(int length) => (TurnEngine.Headroom + length + TurnEngine.Tailroom + 63) & ~63;
}
