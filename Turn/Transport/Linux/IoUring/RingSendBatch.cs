using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>Datagrams that leave by one submission, from any sockets. The kernel reports only failures.</summary>
internal sealed unsafe class RingSendBatch() : DatagramBatch(Capacity)
{
    private const int Capacity = 2 * RingBuffers.Capacity;

    private readonly Source[] _sources = new Source[Capacity];

    /// <param name="descriptor">The socket.</param>
    /// <param name="relay">The slot of the relay whose socket it is; -1 for a listener.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="start">The octets, which stay where they are until <see cref="Clear"/>.</param>
    /// <param name="length">How many.</param>
    public void Add(int descriptor, int relay, in TransportAddress destination, byte* start, int length)
    {
        _sources[Count] = new Source(descriptor, relay, 1);
        Append(destination, start, length);
    }

    /// <summary>Queues all; <paramref name="mark"/> and a datagram's place become the user data of a completion.</summary>
    public void Queue(Ring ring, ulong mark)
    {
        for (int first = 0, end = 0, run; first < Count; first += run)
        {
            // A message leaves one socket.
            while (end < Count && (end <= first || _sources[end].Descriptor == _sources[first].Descriptor)) end++;
            run = RunLength(first, end);
            _sources[first] = _sources[first] with { Run = run };
            ref var submission = ref ring.Next();
            submission.UserData = mark | (uint)first;
            Write(ref submission, first, run);
        }
    }

    /// <summary>The slot of the relay whose datagram this is, or -1.</summary>
    public int RelayOf(int index) => _sources[index].Relay;

    public int RunOf(int index) => _sources[index].Run;

    /// <summary>Sends what has failed once more; returns how many are lost.</summary>
    public int SendAgain(int index, int error) => SendAgain(_sources[index].Descriptor, index, _sources[index].Run, error);

    public bool Contains(int index) => index < Count;

    public void Clear() => Count = 0;

    private void Write(ref RingSubmission submission, int first, int run)
    {
        submission.Flags = RingSubmission.SkipSuccess;
        submission.Descriptor = _sources[first].Descriptor;
        submission.MessageFlags = MessageFlags;
        if (run == 1)
        {
            submission.Operation = RingSubmission.Send;
            submission.Address = (ulong)Vectors[first].Start;
            submission.Length = (uint)Vectors[first].Length;
            submission.Name = WriteName(first, out var nameLength);
            submission.NameLength = (ushort)nameLength;
            return;
        }

        WriteMessage(first, run, ref Headers[first]);
        submission.Operation = RingSubmission.SendMessage;
        submission.Address = (ulong)(Headers + first);
        submission.Length = 1;
    }

    /// <param name="Descriptor">The socket that a datagram leaves.</param>
    /// <param name="Relay">The slot of the relay whose socket it is; -1 for a listener.</param>
    /// <param name="Run">How many datagrams go as the message that begins with this one.</param>
    private readonly record struct Source(int Descriptor, int Relay, int Run);
}
