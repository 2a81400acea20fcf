using Org.BouncyCastle.Tls;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// A client whose handshake has succeeded. It has no thread: the receiving thread decrypts records, and the sending thread encrypts
/// them.
/// </summary>
internal sealed class DtlsSession(DtlsTransport transport, DtlsDatagrams datagrams, FiveTuple flow, EngineHost host, TimeProvider time)
    : ClientPath
{
    /// <summary>The most that a record carries (RFC 6347 §4.1.1): the library ends a session that would send more.</summary>
    private const int MaxMessage = 1 << 14;

    [ThreadStatic]
    private static byte[]? _buffer;

    // The library sends in the clear while it repeats the end of a handshake, so two calls must not run at once. This lock covers
    // nothing else, because senders hold the server's gate.
    private readonly Lock _library = new();

    // One datagram at a time.
    private readonly Lock _receiving = new();

    public FiveTuple Flow { get; } = flow;

    public EngineHost Host { get; } = host;

    /// <summary>The session's place; null until it is admitted.</summary>
    public AdmittedConnection? Place { get; set; }

    /// <summary>When the session began, or last had an allocation.</summary>
    public long LastUseful { get; private set; } = time.GetTimestamp();

    /// <summary>Whether the session has an allocation. Nothing else keeps it.</summary>
    public bool IsUseful()
    {
        if (Host.Knows(Flow))
        {
            LastUseful = time.GetTimestamp();
            Place?.TryAuthenticate();
            return true;
        }

        Place?.Demote();
        return false;
    }

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
                Host.Receive(message.AsSpan(0, length), Flow, this);
            }

            return true;
        }
    }

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
        if (message.Length > MaxMessage)
        {
            datagrams.CountNotSent();
            return;
        }

        if (AuthenticatedResponse.Is(message)) Place?.TryAuthenticate();
        try
        {
            lock (_library)
            {
                if (!datagrams.IsClosed) transport.Send(message);
            }
        }
        catch (IOException)
        {
            // The session has ended meanwhile. The datagram is lost, as on any network.
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
            // The client needs no notification.
        }

        Release();
    }

    /// <summary>Ends the session and its allocation without a notification to the client.</summary>
    public void Forget()
    {
        datagrams.Close();
        Release();
    }

    private void Release()
    {
        Host.StreamClosed(Flow);
        Place?.Dispose();
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
            // A fatal alert of the client, or an authentic but wrong record.
            datagrams.Close();
            return -1;
        }
    }
}
