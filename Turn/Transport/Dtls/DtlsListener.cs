using System.Diagnostics.CodeAnalysis;
using System.Net;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Portable;
using WebRtcIms.Turn.Transport.Relays;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>
/// DTLS on one UDP address (RFC 7350). The response to a ClientHello is a cookie, and there is no state until the cookie comes back
/// from the address that it was sent to (§4.6). Only then a handshake starts. It has a thread of its own, because the library blocks in it.
/// The number of threads is bounded: a new handshake evicts the oldest one, that of the same client first.
/// </summary>
internal sealed partial class DtlsListener : IDisposable
{
    private const int MaxHandshakes = 64;
    private const int MaxHandshakesOfOne = 8;

    // Evicted handshakes end within a moment. Until then no other one starts; its client retransmits.
    private const int MaxThreads = 2 * MaxHandshakes;
    private const int StackSize = 256 * 1024;

    private static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(10);

    // A session without an allocation is of no use, whatever its client sends.
    private static readonly TimeSpan UselessLimit = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private readonly OrderedDictionary<TransportAddress, DtlsDatagrams> _handshakes = [];
    private readonly Dictionary<TransportAddress, DtlsSession> _sessions = [];
    private readonly BcTlsCrypto _crypto = new(new SecureRandom());
    private readonly CookieExchange _cookies;
    private readonly DatagramSocket _socket;
    private readonly TransportAddress _local;
    private readonly IReadOnlyList<EngineHost> _hosts;
    private readonly TlsHandshakes _tls;
    private readonly ConnectionAdmission _admission;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private int _threads;

    /// <exception cref="System.Net.Sockets.SocketException">The address cannot be bound.</exception>
    public DtlsListener(
        IPEndPoint endpoint, IReadOnlyList<EngineHost> hosts, TlsHandshakes tls, ConnectionAdmission admission, TurnMetrics metrics,
        TimeProvider time, ILogger logger)
    {
        _socket = new DatagramSocket(endpoint, metrics);
        _local = TransportAddress.From(endpoint);
        _cookies = new CookieExchange(_crypto, time);
        (_hosts, _tls, _admission, _time, _logger) = (hosts, tls, admission, time, logger);
    }

    public Task ReceiveAsync() => _socket.ReceiveAsync(headroom: 0, tailroom: 0, Receive);

    /// <summary>Ends sessions that are of no use. To be called every few seconds.</summary>
    public void Sweep()
    {
        List<DtlsSession> sessions;
        lock (_gate) sessions = [.. _sessions.Values];
        foreach (var session in sessions)
        {
            if (!session.IsUseful() && _time.GetElapsedTime(session.LastUseful) >= UselessLimit) End(session);
        }
    }

    public void Dispose()
    {
        List<DtlsSession> sessions;
        lock (_gate)
        {
            foreach (var handshake in _handshakes.Values) handshake.Close();
            sessions = [.. _sessions.Values];
        }

        foreach (var session in sessions) End(session);
        _socket.Dispose();
    }

    private void Receive(in TransportAddress sender, Span<byte> datagram)
    {
        if (!DtlsRecord.TryRead(datagram, out var record) || !_hosts[0].MayAnswer(sender, _local)) return;
        try
        {
            Receive(sender, datagram, record);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // One bad datagram must not stop the service of all others.
            LogDatagramFailed(error);
        }
    }

    private void Receive(in TransportAddress sender, Span<byte> datagram, in DtlsRecord record)
    {
        DtlsDatagrams? handshake;
        DtlsSession? session;
        lock (_gate)
        {
            _handshakes.TryGetValue(sender, out handshake);
            _sessions.TryGetValue(sender, out session);
        }

        // A client that connects again from the same port keeps its old session until the new one is established (RFC 6347 §4.2.8).
        // Until then, only the keys show which of the two a record belongs to.
        handshake?.Offer(datagram);
        if (handshake is null && DtlsRecord.IsClientHello(datagram)) Verify(sender, datagram);
        else if (session is not null && (handshake is null || record.Type == DtlsRecord.ApplicationData) && !session.Receive(datagram))
            End(session);
    }

    private void Verify(TransportAddress client, ReadOnlySpan<byte> datagram)
    {
        var datagrams = new DtlsDatagrams(_socket, client);
        if (_cookies.Verify(client, datagram, datagrams) is not { } request || ProcessMemory.IsLow) return;
        lock (_gate)
        {
            if (_threads == MaxThreads) return;
            GiveWayTo(client);
            _threads++;
            _handshakes.Add(client, datagrams);
        }

        new Thread(() => Handshake(client, datagrams, request), StackSize) { IsBackground = true, Name = "dtls handshake" }.Start();
    }

    private void GiveWayTo(TransportAddress client)
    {
        var network = ClientNetwork.Of(client.Address);
        List<TransportAddress> ofSame = [.. _handshakes.Keys.Where(other => ClientNetwork.Of(other.Address) == network)];
        if (ofSame.Count < MaxHandshakesOfOne && _handshakes.Count < MaxHandshakes) return;
        var oldest = ofSame.Count >= MaxHandshakesOfOne ? ofSame[0] : _handshakes.GetAt(0).Key;
        _handshakes[oldest].Close();
        _handshakes.Remove(oldest);
    }

    private void Handshake(TransportAddress client, DtlsDatagrams datagrams, DtlsRequest request)
    {
        try
        {
            var identity = new DtlsIdentity(_crypto, _tls.Options.ServerCertificateContext!, HandshakeLimit);
            var transport = new DtlsServerProtocol().Accept(identity, datagrams, request);
            datagrams.IsEstablished = true;
            Begin(client, datagrams, transport);
        }
        catch (IOException)
        {
            // The client made a mistake, or the handshake was evicted.
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogDatagramFailed(error);
        }
        finally
        {
            lock (_gate)
            {
                _threads--;
                if (_handshakes.GetValueOrDefault(client) == datagrams) _handshakes.Remove(client);
            }
        }
    }

    private void Begin(in TransportAddress client, DtlsDatagrams datagrams, DtlsTransport transport)
    {
        var flow = new FiveTuple(ClientTransport.Dtls, client, _local);
        var host = _hosts[(int)((uint)flow.GetHashCode() % _hosts.Count)];
        var session = new DtlsSession(transport, datagrams, flow, host, _time);

        session.Place = _admission.TryAdmit(client.ToIPEndPoint().Address, () =>
        {
            datagrams.Close();
            End(session);
        });
        if (session.Place is null)
        {
            session.Close();
            return;
        }

        // Its client has lost its state and its keys, so it could not read a close_notify.
        while (!TryAdd(session, datagrams, out var former))
        {
            if (TryRemove(former)) former.Forget();
        }

        // It may have given way before it was added.
        if (datagrams.IsClosed) End(session);

        // Datagrams that arrived while the handshake ended.
        while (datagrams.TryTake(out var datagram))
        {
            if (!session.Receive(datagram)) End(session);
        }
    }

    private bool TryAdd(DtlsSession session, DtlsDatagrams datagrams, [NotNullWhen(false)] out DtlsSession? former)
    {
        var client = session.Flow.Client;
        lock (_gate)
        {
            if (_sessions.TryGetValue(client, out former)) return false;
            _sessions.Add(client, session);

            // Another handshake of the client may have started meanwhile.
            if (_handshakes.GetValueOrDefault(client) == datagrams) _handshakes.Remove(client);
            return true;
        }
    }

    private void End(DtlsSession session)
    {
        if (TryRemove(session)) session.Close();
    }

    private bool TryRemove(DtlsSession session)
    {
        var client = session.Flow.Client;
        lock (_gate)
        {
            if (_sessions.GetValueOrDefault(client) != session) return false;
            _sessions.Remove(client);
            return true;
        }
    }

    [LoggerMessage(1, LogLevel.Error, "A datagram could not be handled; DTLS goes on")]
    private partial void LogDatagramFailed(Exception error);
}
