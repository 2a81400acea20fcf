using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>Datagrams that leave by one submission, from any sockets. The kernel reports only failures.</summary>
/// <remarks>
/// A report has the tag of its message: the place of the first datagram, how many there are, and the turn of the worker. A report of
/// another turn comes too late: its datagrams are lost, and nothing else is sent in their place.
/// </remarks>
internal sealed unsafe class RingSendBatch(SegmentLimits limits) : DatagramBatch(Capacity, limits)
{
    private const int Capacity = 2 * RingBuffers.Capacity;

    // The parts of a tag.
    private const int PlaceBits = 9;
    private const int RunBits = 7;
    private const uint PlaceMask = (1U << PlaceBits) - 1;
    private const uint RunMask = (1U << RunBits) - 1;

    private readonly IWorkerSocket?[] _sockets = new IWorkerSocket?[Capacity];
    private ushort _turn;

    /// <param name="socket">The socket.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="start">The octets, which stay where they are until <see cref="Clear"/>.</param>
    /// <param name="length">How many.</param>
    public void Add(IWorkerSocket socket, in TransportAddress destination, byte* start, int length)
    {
        _sockets[Count] = socket;
        Append(destination, start, length);
    }

    /// <summary>Queues all; <paramref name="mark"/> and the tag of a message become the user data of a completion.</summary>
    public void Queue(Ring ring, ulong mark, ushort turn)
    {
        _turn = turn;
        for (int first = 0, end = 0, run; first < Count; first += run)
        {
            // A message leaves one socket.
            while (end < Count && (end <= first || _sockets[end] == _sockets[first])) end++;
            run = RunLength(first, end);
            ref var submission = ref ring.Next();
            submission.UserData = mark | (uint)first | ((uint)run << PlaceBits) | ((uint)turn << (PlaceBits + RunBits));
            Write(ref submission, first, run);
        }
    }

    /// <summary>How many datagrams a tag stands for.</summary>
    public static int RunOf(uint tag) => (int)((tag >> PlaceBits) & RunMask);

    /// <summary>Sends once more what has failed; returns how many datagrams are lost.</summary>
    /// <param name="tag">The tag of the message.</param>
    /// <param name="error">The error number.</param>
    /// <param name="relay">The relay whose error queue may have more; null for none.</param>
    public int SendAgain(uint tag, int error, out LinuxRelay? relay)
    {
        var (place, run) = ((int)(tag & PlaceMask), RunOf(tag));
        relay = null;
        if (tag >> (PlaceBits + RunBits) != _turn || place + run > Count) return run;

        // It may have ended meanwhile, and another socket may have its descriptor.
        var socket = _sockets[place]!;
        if (socket.IsClosing) return run;
        relay = socket as LinuxRelay;
        return SendAgain(socket.Descriptor, Headers + place, place, run, error);
    }

    public void Clear()
    {
        Array.Clear(_sockets, 0, Count);
        Count = 0;
    }

    private void Write(ref RingSubmission submission, int first, int run)
    {
        submission.Flags = RingSubmission.SkipSuccess;
        submission.Descriptor = _sockets[first]!.Descriptor;
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
}
