using System.Buffers.Binary;
using System.Diagnostics;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>
/// Reads the RTP headers of relayed sound between browsers and TURN server, which SRTP does not encrypt. Measures for how long a
/// listener received no sound.
/// </summary>
internal sealed class MediaWatch
{
    private const int OpusClock = 48_000;
    private const ushort SendIndication = 0x0016;
    private const ushort DataIndication = 0x0017;
    private const ushort DataAttribute = 0x0013;

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, Stream> _streams = [];

    public void Record(byte[] datagram, bool isFromServer)
    {
        var now = Stopwatch.GetTimestamp();
        var rtp = Relayed(datagram);
        // Only RTP of version 2: payload types from 64 to 95 are RTCP (RFC 5761 §4).
        if (rtp.Length < 12 || rtp[0] >> 6 != 2 || (rtp[1] & 0x7F) is >= 64 and < 96) return;
        var packet = new Packet(now, BinaryPrimitives.ReadUInt16BigEndian(rtp[2..]), BinaryPrimitives.ReadUInt32BigEndian(rtp[4..]));
        var source = BinaryPrimitives.ReadUInt32BigEndian(rtp[8..]);
        lock (_gate)
        {
            if (!_streams.TryGetValue(source, out var stream)) _streams[source] = stream = new([], []);
            (isFromServer ? stream.Received : stream.Sent).Add(packet);
        }
    }

    /// <summary>The interruptions of each direction that had sound for at least this many seconds, longest first.</summary>
    public IReadOnlyList<Direction> Directions(double seconds)
    {
        lock (_gate)
        {
            return [.. _streams.Values
                .Where(stream =>
                    stream.Received.Count > 1
                        && Stopwatch.GetElapsedTime(stream.Received[0].At, stream.Received[^1].At).TotalSeconds >= seconds)
                .Select(stream => new Direction(stream.Received.Count, Interruptions(stream)))];
        }
    }

    /// <summary>
    /// The interruption between each received packet and the next: the duration of lost sound by the sender's timestamps, or the time
    /// without arrivals although the sender sent. A sender that got no CPU time for a moment does not count as an interruption.
    /// </summary>
    private static List<Interruption> Interruptions(Stream stream)
    {
        List<Interruption> found = [];
        var first = stream.Received[0].At;
        for (var i = 1; i < stream.Received.Count; i++)
        {
            var (before, after) = (stream.Received[i - 1], stream.Received[i]);
            var steps = (short)(after.Sequence - before.Sequence);
            var missing = steps > 1 ? (double)(int)(after.Timestamp - before.Timestamp) / OpusClock * (steps - 1) / steps : 0;
            var silent = Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds;
            var late = silent > 0.1 ? silent - LongestPause(stream.Sent, before.At, after.At) : 0;
            found.Add(
                new(Stopwatch.GetElapsedTime(first, after.At), TimeSpan.FromSeconds(Math.Max(missing, late)),
                    TimeSpan.FromSeconds(silent)));
        }
        return [.. found.OrderByDescending(interruption => interruption.Lasted).Take(10)];
    }

    private static double LongestPause(List<Packet> sent, long from, long to)
    {
        var (longest, last) = (0L, from);
        foreach (var packet in sent.Where(packet => packet.At > from && packet.At < to))
        {
            longest = Math.Max(longest, packet.At - last);
            last = packet.At;
        }
        return Stopwatch.GetElapsedTime(0, Math.Max(longest, to - last)).TotalSeconds;
    }

    /// <summary>The relayed payload: that of ChannelData (RFC 8656 §12.4), or DATA of an indication (§11).</summary>
    private static ReadOnlySpan<byte> Relayed(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length < 4) return [];
        var (kind, length) = (BinaryPrimitives.ReadUInt16BigEndian(datagram), BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]));
        if (kind is >= 0x4000 and < 0x5000) return datagram.Length >= 4 + length ? datagram.Slice(4, length) : [];
        if (kind is not (SendIndication or DataIndication)) return [];

        for (var at = 20; at + 4 <= datagram.Length;)
        {
            var (type, size) =
                (BinaryPrimitives.ReadUInt16BigEndian(datagram[at..]), BinaryPrimitives.ReadUInt16BigEndian(datagram[(at + 2)..]));
            if (at + 4 + size > datagram.Length) return [];
            if (type == DataAttribute) return datagram.Slice(at + 4, size);
            at += 4 + ((size + 3) & ~3);
        }
        return [];
    }

    private readonly record struct Packet(long At, ushort Sequence, uint Timestamp);

    private sealed record Stream(List<Packet> Sent, List<Packet> Received);
}

/// <summary>Sound in one direction: the number of received packets, and the longest interruptions.</summary>
internal sealed record Direction(int Packets, IReadOnlyList<Interruption> Longest);

/// <param name="At">Time since the first packet.</param>
/// <param name="Lasted">Duration of lost or delayed sound.</param>
/// <param name="Silent">Time from one arrival to the next, for any reason.</param>
internal readonly record struct Interruption(TimeSpan At, TimeSpan Lasted, TimeSpan Silent)
{
    public override string ToString() =>
        $"{Lasted.TotalMilliseconds:0} ms at {At.TotalSeconds:0.0} s (nothing arrived for {Silent.TotalMilliseconds:0} ms)";
}
