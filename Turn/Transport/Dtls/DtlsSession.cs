using Org.BouncyCastle.Tls;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// A client whose handshake has succeeded. It has no thread: records are opened by whoever receives the datagram, and closed by
/// whoever sends.
/// </summary>
internal sealed class DtlsSession(DtlsTransport transport, DtlsDatagrams datagrams, FiveTuple flow, EngineHost host, TimeProvider time)
    : ClientPath
{
    /// <summary>The most that a record carries (RFC 6347 §4.1.1): the library ends a session that would send more.</summary>
    private const int MaxMessage = 1 << 14;

    [ThreadStatic]
    private static byte[]? _buffer;

    // The library sends in the clear while it repeats the end of a handshake, so it is never in two calls at a time. Nothing else is
    // waited for under this lock: those who send hold the server's gate.
    private readonly Lock _library = new();

    // One datagram after the other.
    private readonly Lock _receiving = new();

    public FiveTuple Flow { get; } = flow;

    public EngineHost Host { get; } = host;

    /// <summary>When the client last sent something that proved to be its own.</summary>
    public long LastHeard { get; private set; } = time.GetTimestamp();

    /// <summary>False when the session has ended.</summary>
    public bool Receive(ReadOnlySpan<byte> datagram)
    {
        lock (_receiving)
        {
            var message = _buffer ??= new byte[MaxMessage];
            for (; DtlsRecord.TryRead(datagram, out var record); datagram = datagram[record.Length..])
            {
                var length = Open(datagram[..record.Length], message);
                if (datagrams.IsClosed) return false;
                if (length < 0) continue;
                LastHeard = time.GetTimestamp();
                Host.Receive(message.AsSpan(0, length), Flow, this);
            }

            return true;
        }
    }

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
        if (message.Length > MaxMessage) return;
        try
        {
            lock (_library)
            {
                if (!datagrams.IsClosed) transport.Send(message);
            }
        }
        catch (IOException)
        {
            // It has ended meanwhile: lost, as a datagram may be.
        }
    }

    /// <summary>Tells the client, and ends what it had here.</summary>
    public void Close()
    {
        try
        {
            lock (_library) transport.Close();
        }
        catch (IOException)
        {
            // It need not be told.
        }

        Host.StreamClosed(Flow);
    }

    /// <summary>Ends what the client had here, and tells nobody.</summary>
    public void Forget()
    {
        datagrams.Close();
        Host.StreamClosed(Flow);
    }

    /// <summary>What a record carries; less than 0 when it is none of the client's, or is for the library.</summary>
    private int Open(ReadOnlySpan<byte> record, byte[] message)
    {
        try
        {
            lock (_library)
            {
                datagrams.Set(record.ToArray());
                return transport.Receive(message, 0, message.Length, waitMillis: 1);
            }
        }
        catch (IOException)
        {
            // A fatal alert of the client, or a record that only it can have made and that is wrong.
            datagrams.Close();
            return -1;
        }
    }
}
