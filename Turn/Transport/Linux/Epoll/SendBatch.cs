using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>Datagrams that leave one socket by one sendmmsg.</summary>
internal sealed unsafe class SendBatch(SegmentLimits limits) : DatagramBatch(Capacity, limits)
{
    /// <summary>Datagrams at most.</summary>
    public const int Capacity = ReceiveBatch.Capacity;

    public void Add(in TransportAddress destination, byte* start, int length) => Append(destination, start, length);

    /// <summary>Sends all, and returns how many datagrams were lost because the kernel refused them.</summary>
    public int Flush(int descriptor)
    {
        // Towards peers most datagrams are alone, and sendto copies less into the kernel than sendmmsg.
        var lost = Count == 1 ? SendSingly(descriptor, 0, 1) : SendMessages(descriptor, WriteMessages());
        Count = 0;
        return lost;
    }

    private int SendMessages(int descriptor, int messages)
    {
        var lost = 0;
        for (var sent = 0; sent < messages;)
        {
            var result = Libc.SendMany(descriptor, Headers + sent, (uint)(messages - sent), Libc.DontWait);
            if (result > 0)
            {
                sent += result;
                continue;
            }

            var error = Libc.LastError;
            if (error == Libc.Interrupted) continue;

            // The error concerns only this message. The others are still sent.
            var refused = Headers + sent++;
            lost += SendAgain(descriptor, refused, (int)(refused->Vectors - Vectors), (int)refused->VectorCount, error);
        }

        return lost;
    }

    private int WriteMessages()
    {
        var messages = 0;
        for (int first = 0, run; first < Count; first += run)
        {
            run = RunLength(first, Count);
            WriteMessage(first, run, ref Headers[messages++]);
        }

        return messages;
    }
}
