using System.Runtime.InteropServices;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>Datagrams that arrived as one message, copied apart so that each has the engine's room before and behind it.</summary>
internal sealed unsafe class DatagramsApart : IDisposable
{
    private const int Capacity = SendBatch.Capacity;
    private const int Stride = ((TurnEngine.Headroom + LinuxWorker.MaxDatagram + TurnEngine.Tailroom + 63) / 64) * 64;

    private readonly byte* _buffers = (byte*)NativeMemory.AlignedAlloc(Capacity * Stride, 64);
    private int _count;

    public bool IsFull => _count == Capacity;

    /// <summary>Returns where the copy begins; it stays there until <see cref="Clear"/>.</summary>
    public byte* Copy(byte* start, int length)
    {
        var copy = _buffers + (_count++ * Stride) + TurnEngine.Headroom;
        Buffer.MemoryCopy(start, copy, LinuxWorker.MaxDatagram, length);
        return copy;
    }

    /// <summary>All have been sent.</summary>
    public void Clear() => _count = 0;

    public void Dispose() => NativeMemory.AlignedFree(_buffers);
}
