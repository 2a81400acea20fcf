using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>
/// Datagrams that wait to be sent. Neighbours of one size to one destination go as one message that the kernel cuts (UDP_SEGMENT).
/// The octets stay where they were received. They must not change until the batch was sent.
/// </summary>
internal abstract unsafe class DatagramBatch : IDisposable
{
    /// <summary>How every datagram is sent.</summary>
    protected const int MessageFlags = Libc.DontWait | Libc.NoSignal;

    // ICMP errors may arrive as fast as datagrams leave, and each makes one call fail.
    private const int MaxAttempts = 4;

    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly TransportAddress[] _destinations;
    private readonly SegmentLimits _limits;

    protected DatagramBatch(int capacity, SegmentLimits limits)
    {
        var count = (nuint)capacity;
        _limits = limits;
        _destinations = new TransportAddress[capacity];
        _names = (byte*)NativeMemory.AllocZeroed(count, NativeAddress.Room);
        _controls = (byte*)NativeMemory.AllocZeroed(count, UdpSegments.ControlRoom);
        Vectors = (IoVector*)NativeMemory.AllocZeroed(count, (nuint)sizeof(IoVector));
        Headers = (MultiMessageHeader*)NativeMemory.AllocZeroed(count, (nuint)sizeof(MultiMessageHeader));
    }

    public int Count { get; protected set; }

    /// <summary>The octets of each datagram.</summary>
    protected IoVector* Vectors { get; }

    /// <summary>Room for one header per datagram.</summary>
    protected MultiMessageHeader* Headers { get; }

    /// <summary>
    /// Sends one datagram, and tries again after an error: an ICMP error about an earlier datagram, to any destination, makes one call
    /// fail. Without room in the socket's buffer the datagram is lost.
    /// </summary>
    /// <param name="descriptor">The socket.</param>
    /// <param name="start">The octets.</param>
    /// <param name="length">How many.</param>
    /// <param name="name">The destination.</param>
    /// <param name="nameLength">Octets of the destination.</param>
    /// <param name="hasError">The first call has failed.</param>
    public static bool TrySend(int descriptor, byte* start, nuint length, byte* name, uint nameLength, out bool hasError)
    {
        hasError = false;
        for (var attempt = 1; Libc.SendTo(descriptor, start, length, MessageFlags, name, nameLength) < 0;)
        {
            var error = Libc.LastError;
            if (error == Libc.Interrupted) continue;
            if (error == Libc.Again) return false;

            // Each attempt with a datagram that is too long leaves an error in the socket's queue.
            hasError = true;
            if (++attempt > (error == Libc.MessageTooLong ? 2 : MaxAttempts)) return false;
        }

        return true;
    }

    public void Dispose()
    {
        NativeMemory.Free(_names);
        NativeMemory.Free(_controls);
        NativeMemory.Free(Vectors);
        NativeMemory.Free(Headers);
        GC.SuppressFinalize(this);
    }

    protected void Append(in TransportAddress destination, byte* start, int length)
    {
        _destinations[Count] = destination;
        Vectors[Count++] = new IoVector { Start = start, Length = (nuint)length };
    }

    /// <summary>How many datagrams from <paramref name="first"/> on can go as one message; all before <paramref name="end"/>.</summary>
    protected int RunLength(int first, int end)
    {
        if (!_limits.Allows(_destinations[first].Address, Vectors[first].Length)) return 1;
        var run = new UdpSegments(Vectors[first].Length);
        while (first + run.Count < end
            && _destinations[first + run.Count] == _destinations[first]
            && run.TryAdd(Vectors[first + run.Count].Length))
        {
        }

        return run.Count;
    }

    /// <summary>Writes the destination of a datagram, and returns where.</summary>
    protected byte* WriteName(int index, out uint length)
    {
        var name = _names + (index * NativeAddress.Room);
        length = NativeAddress.Write(_destinations[index], name);
        return name;
    }

    /// <summary>Writes the header of the message that a run goes as.</summary>
    protected void WriteMessage(int first, int run, ref MultiMessageHeader header)
    {
        header.Name = WriteName(first, out header.NameLength);
        header.Vectors = Vectors + first;
        header.VectorCount = (nuint)run;
        header.ControlLength = 0;
        if (run == 1) return;
        header.Control = _controls + (first * UdpSegments.ControlRoom);
        header.ControlLength = UdpSegments.ControlRoom;
        UdpSegments.Write(header.Control, (ushort)Vectors[first].Length);
    }

    /// <summary>Sends a message that the kernel has refused once more, and returns how many datagrams are lost.</summary>
    protected int SendAgain(int descriptor, MultiMessageHeader* message, int first, int run, int error)
    {
        if (error == Libc.Again) return run;
        if (run == 1) return SendSingly(descriptor, first, run);

        // The error may be of an earlier datagram. Only the second one is of this message.
        if (Libc.SendMany(descriptor, message, 1, MessageFlags) == 1) return 0;
        error = Libc.LastError;
        if (error == Libc.Again) return run;
        if (IsOfSegments(error)) Lower(first, error);
        return SendSingly(descriptor, first, run);
    }

    // The segments are longer than the path takes (EINVAL before Linux 6.14), or the path does not segment (EIO).
    private static bool IsOfSegments(int error) => error is Libc.MessageTooLong or Libc.Invalid or Libc.InputOutput;

    private void Lower(int first, int error) =>
        _limits.Lower(_destinations[first].Address, error == Libc.InputOutput ? 0 : Vectors[first].Length - 1);

    /// <summary>Sends the datagrams of a run one by one, and returns how many are lost.</summary>
    protected int SendSingly(int descriptor, int first, int run)
    {
        var lost = 0;
        var name = WriteName(first, out var nameLength);
        for (var vector = Vectors + first; vector < Vectors + first + run; vector++)
        {
            if (!TrySend(descriptor, vector->Start, vector->Length, name, nameLength, out _)) lost++;
        }

        return lost;
    }
}
