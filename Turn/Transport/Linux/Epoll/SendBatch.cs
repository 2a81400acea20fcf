using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>
/// Datagrams that wait to leave one socket by one sendmmsg. Neighbours of one size to one destination go as one message that
/// the kernel cuts (UDP_SEGMENT). The octets stay where they were received. They must not change until <see cref="Flush"/>.
/// </summary>
internal sealed unsafe class SendBatch : IDisposable
{
    /// <summary>Datagrams at most.</summary>
    public const int Capacity = ReceiveBatch.Capacity;

    private readonly byte* _names = (byte*)NativeMemory.AllocZeroed(Capacity * NativeAddress.Room);
    private readonly byte* _controls = (byte*)NativeMemory.AllocZeroed(Capacity * UdpSegments.ControlRoom);
    private readonly IoVector* _vectors = (IoVector*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(IoVector));
    private readonly MultiMessageHeader* _headers =
        (MultiMessageHeader*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(MultiMessageHeader));
    private readonly TransportAddress[] _destinations = new TransportAddress[Capacity];

    /// <summary>Whether the kernel cuts; found out by trying.</summary>
    private bool _segments = true;

    public int Count { get; private set; }

    public void Add(in TransportAddress destination, byte* start, int length)
    {
        _destinations[Count] = destination;
        _vectors[Count] = new IoVector { Start = start, Length = (nuint)length };
        Count++;
    }

    /// <summary>Sends all, and returns how many datagrams were lost because the kernel refused them.</summary>
    public int Flush(int descriptor)
    {
        if (Count == 1) return FlushOne(descriptor);
        var lost = 0;
        var isSecondTry = false;
        var messages = Build(_segments);
        for (var sent = 0; sent < messages;)
        {
            var result = Libc.SendMany(descriptor, _headers + sent, (uint)(messages - sent), Libc.DontWait);
            if (result > 0)
            {
                sent += result;
                isSecondTry = false;
                continue;
            }

            if (Libc.LastError == Libc.Interrupted) continue;
            if (_headers[sent].ControlLength != 0 && Libc.LastError is Libc.InputOutput or Libc.Invalid)
            {
                // No UDP_SEGMENT on this kernel or path: send the rest one by one, and do not ask again.
                _segments = false;
                return lost + SendSingly(descriptor, sent);
            }

            // One call reports an ICMP error about an earlier datagram, and then sends nothing.
            if (Libc.LastError != Libc.Again && !isSecondTry)
            {
                isSecondTry = true;
                continue;
            }

            // The error concerns only this datagram. The others are still sent.
            lost += (int)_headers[sent].VectorCount;
            isSecondTry = false;
            sent++;
        }

        Count = 0;
        return lost;
    }

    public void Dispose()
    {
        NativeMemory.Free(_names);
        NativeMemory.Free(_controls);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_headers);
    }

    /// <summary>Towards peers most datagrams are alone, and sendto copies less into the kernel than sendmmsg.</summary>
    private int FlushOne(int descriptor)
    {
        Count = 0;
        var addressLength = NativeAddress.Write(_destinations[0], _names);
        for (var attempt = 0; attempt < 2;)
        {
            if (Libc.SendTo(descriptor, _vectors[0].Start, _vectors[0].Length, Libc.DontWait, _names, addressLength) >= 0) return 0;
            if (Libc.LastError == Libc.Interrupted) continue;
            if (Libc.LastError == Libc.Again) break;
            attempt++;
        }

        return 1;
    }

    private int SendSingly(int descriptor, int firstMessage)
    {
        var first = (int)(_headers[firstMessage].Vectors - _vectors);
        for (var i = first; i < Count; i++)
        {
            _destinations[i - first] = _destinations[i];
            _vectors[i - first] = _vectors[i];
        }

        Count -= first;
        return Flush(descriptor);
    }

    /// <summary>Writes one header per destination and run of equal sizes; returns how many.</summary>
    private int Build(bool segments)
    {
        var messages = 0;
        for (var first = 0; first < Count;)
        {
            var run = segments ? RunLength(first) : 1;
            ref var header = ref _headers[messages];
            header.Name = _names + (messages * NativeAddress.Room);
            header.NameLength = NativeAddress.Write(_destinations[first], header.Name);
            header.Vectors = _vectors + first;
            header.VectorCount = (nuint)run;
            header.ControlLength = 0;
            if (run > 1) AskForSegments(ref header, messages, (ushort)_vectors[first].Length);
            first += run;
            messages++;
        }

        return messages;
    }

    private int RunLength(int first)
    {
        var run = new UdpSegments(_vectors[first].Length);
        while (first + run.Count < Count
            && _destinations[first + run.Count] == _destinations[first]
            && run.TryAdd(_vectors[first + run.Count].Length))
        {
        }

        return run.Count;
    }

    private void AskForSegments(ref MultiMessageHeader header, int message, ushort size)
    {
        header.Control = _controls + (message * UdpSegments.ControlRoom);
        header.ControlLength = UdpSegments.ControlRoom;
        UdpSegments.Write(header.Control, size);
    }
}
