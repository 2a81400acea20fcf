using Org.BouncyCastle.Tls;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Portable;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// The datagrams between the server and one client. During the handshake they wait in a short queue for its thread. Afterwards the
/// receiving thread hands over each one, and no thread waits.
/// </summary>
internal sealed class DtlsDatagrams(DatagramSocket socket, TransportAddress client) : DatagramTransport
{
    // This fits every IPv6 path. A certificate chain is sent in several datagrams.
    private const int SendLimit = 1200;

    // Without a certificate of its own a client sends four messages, the longest of them its ClientHello.
    private const int MaxWaiting = 16;
    private const int LargestOfHandshake = 4096;
    private const int MaxOverhead = 64;

    private readonly Queue<byte[]> _waiting = [];
    private byte[]? _current;
    private volatile bool _closed;

    /// <summary>The handshake has been given up, or the session has ended.</summary>
    public bool IsClosed => _closed;

    /// <summary>The handshake is complete: no thread waits for a datagram any more.</summary>
    public bool IsEstablished { get; set; }

    /// <summary>For the handshake; what is too much is lost.</summary>
    public void Offer(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length > LargestOfHandshake) return;
        lock (_waiting)
        {
            if (_closed || _waiting.Count == MaxWaiting) return;
            _waiting.Enqueue(datagram.ToArray());
            Monitor.Pulse(_waiting);
        }
    }

    /// <summary>Datagrams that arrived while the handshake ended.</summary>
    public bool TryTake(out byte[]? datagram)
    {
        lock (_waiting) return _waiting.TryDequeue(out datagram);
    }

    /// <summary>What the next <c>Receive</c> gets.</summary>
    public void Set(byte[] record) => _current = record;

    // The library allocates a buffer of about this size for each record, less the overhead of the cipher.
    public int GetReceiveLimit() => IsEstablished ? (_current?.Length ?? 0) + MaxOverhead : LargestOfHandshake;

    public int GetSendLimit() => SendLimit;

    public int Receive(byte[] buf, int off, int len, int waitMillis) => Receive(buf.AsSpan(off, len), waitMillis);

    public int Receive(Span<byte> buffer, int waitMillis)
    {
        if (IsEstablished) return TakeCurrent(buffer);
        lock (_waiting)
        {
            if (_waiting.Count == 0 && !_closed) Monitor.Wait(_waiting, Math.Max(waitMillis, 1));
            if (_closed) throw new IOException("the handshake has been given up");
            if (!_waiting.TryDequeue(out var datagram) || datagram.Length > buffer.Length) return -1;
            datagram.CopyTo(buffer);
            return datagram.Length;
        }
    }

    public void Send(byte[] buf, int off, int len) => Send(buf.AsSpan(off, len));

    public void Send(ReadOnlySpan<byte> buffer) => socket.Send(client, buffer);

    /// <summary>A message is longer than a record carries.</summary>
    public void CountNotSent() => socket.CountNotSent();

    public void Close()
    {
        lock (_waiting)
        {
            _closed = true;
            Monitor.PulseAll(_waiting);
        }
    }

    // If a record yields nothing, the library waits for another one until its timeout, which is one millisecond at least. Only a
    // corrupt record makes it return at once, and a corrupt record does not harm the session.
    private int TakeCurrent(Span<byte> buffer)
    {
        var record = _current;
        _current = null;
        if (record is null || record.Length > buffer.Length) throw new TlsFatalAlert(AlertDescription.bad_record_mac);
        record.CopyTo(buffer);
        return record.Length;
    }
}
