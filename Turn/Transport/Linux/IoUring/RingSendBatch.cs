using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>
/// Datagrams that leave by one submission, from any sockets. Neighbours of one size to one destination go as one message
/// that the kernel cuts (UDP_SEGMENT). The kernel reports only failures.
/// </summary>
internal sealed unsafe class RingSendBatch : IDisposable
{
    private const int Capacity = 2 * RingBuffers.Capacity;
    private const int MessageFlags = Libc.DontWait | Libc.NoSignal;

    private readonly Datagram[] _datagrams = new Datagram[Capacity];
    private readonly byte* _names = (byte*)NativeMemory.AllocZeroed(Capacity * NativeAddress.Room);
    private readonly byte* _controls = (byte*)NativeMemory.AllocZeroed(Capacity * UdpSegments.ControlRoom);
    private readonly IoVector* _vectors = (IoVector*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(IoVector));
    private readonly MultiMessageHeader* _headers =
        (MultiMessageHeader*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(MultiMessageHeader));
    private int _count;

    /// <param name="descriptor">The socket.</param>
    /// <param name="relay">The slot of the relay whose socket it is; -1 for a listener.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="start">The octets, which stay where they are until <see cref="Clear"/>.</param>
    /// <param name="length">How many.</param>
    public void Add(int descriptor, int relay, in TransportAddress destination, byte* start, int length)
    {
        _vectors[_count] = new IoVector { Start = start, Length = (nuint)length };
        _datagrams[_count++] = new Datagram(descriptor, relay, destination, 1);
    }

    /// <summary>Queues all; <paramref name="mark"/> and a datagram's place become the user data of a completion.</summary>
    public void Queue(Ring ring, ulong mark, bool segments)
    {
        for (var first = 0; first < _count;)
        {
            var run = segments ? RunLength(first) : 1;
            ref var datagram = ref _datagrams[first];
            datagram = datagram with { Run = run };
            var name = _names + (first * NativeAddress.Room);
            var nameLength = NativeAddress.Write(datagram.Destination, name);
            ref var submission = ref ring.Next();
            submission.Flags = RingSubmission.SkipSuccess;
            submission.Descriptor = datagram.Descriptor;
            submission.MessageFlags = MessageFlags;
            submission.UserData = mark | (uint)first;
            if (run == 1)
            {
                submission.Operation = RingSubmission.Send;
                submission.Address = (ulong)_vectors[first].Start;
                submission.Length = (uint)_vectors[first].Length;
                submission.Name = name;
                submission.NameLength = (ushort)nameLength;
            }
            else
            {
                var control = _controls + (first * UdpSegments.ControlRoom);
                UdpSegments.Write(control, (ushort)_vectors[first].Length);
                _headers[first] = new MultiMessageHeader
                {
                    Name = name,
                    NameLength = nameLength,
                    Vectors = _vectors + first,
                    VectorCount = (nuint)run,
                    Control = control,
                    ControlLength = UdpSegments.ControlRoom,
                };
                submission.Operation = RingSubmission.SendMessage;
                submission.Address = (ulong)(_headers + first);
                submission.Length = 1;
            }

            first += run;
        }
    }

    /// <summary>The slot of the relay whose datagram this is, or -1.</summary>
    public int RelayOf(int index) => _datagrams[index].Relay;

    public int RunOf(int index) => _datagrams[index].Run;

    /// <summary>Sends what has failed once more, one by one; returns how many are lost.</summary>
    public int SendAgain(int index)
    {
        var lost = 0;
        var name = _names + (index * NativeAddress.Room);
        var nameLength = NativeAddress.Write(_datagrams[index].Destination, name);
        for (var i = index; i < index + _datagrams[index].Run; i++)
        {
            if (Libc.SendTo(_datagrams[index].Descriptor, _vectors[i].Start, _vectors[i].Length, MessageFlags, name, nameLength) < 0)
                lost++;
        }

        return lost;
    }

    public bool Contains(int index) => index < _count;

    public void Clear() => _count = 0;

    public void Dispose()
    {
        NativeMemory.Free(_names);
        NativeMemory.Free(_controls);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_headers);
    }

    private int RunLength(int first)
    {
        var run = new UdpSegments(_vectors[first].Length);
        while (first + run.Count < _count
            && _datagrams[first + run.Count].Descriptor == _datagrams[first].Descriptor
            && _datagrams[first + run.Count].Destination == _datagrams[first].Destination
            && run.TryAdd(_vectors[first + run.Count].Length))
        {
        }

        return run.Count;
    }

    private readonly record struct Datagram(int Descriptor, int Relay, TransportAddress Destination, int Run);
}
