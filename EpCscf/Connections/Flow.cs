using System.Net.WebSockets;
using System.Text.Unicode;
using System.Threading.Channels;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.EpCscf.Connections;

/// <summary>Why this server closes a connection (RFC 6455 §7.4; codes from 4000 up are our own).</summary>
internal static class CloseCode
{
    public const WebSocketCloseStatus GoingAway = WebSocketCloseStatus.EndpointUnavailable;
    public const WebSocketCloseStatus TooMuch = WebSocketCloseStatus.PolicyViolation;
    public const WebSocketCloseStatus TooBig = WebSocketCloseStatus.MessageTooBig;
    public const WebSocketCloseStatus NotRegistered = (WebSocketCloseStatus)4401;
    public const WebSocketCloseStatus Replaced = (WebSocketCloseStatus)4409;
    public const WebSocketCloseStatus SignedOut = (WebSocketCloseStatus)4403;
}

/// <summary>
/// A connection with a WIC (a flow of RFC 5626). It reads one message after the other, and sends without waiting. The queue of a client
/// that does not read is bounded; then the client is disconnected.
/// </summary>
internal sealed class Flow(WebSocket socket, EpCscfSettings settings, TimeProvider time)
{
    private const int MaxQueuedMessages = 512;
    private const int MaxQueuedOctets = 1024 * 1024;

    // A message that is longer than allowed by more than this ends its connection. A shorter one only gets its response.
    private const int MaxDiscarded = 3 * SipParser.MaxMessageLength;

    // A client that goes on after so many refusals is disconnected.
    private const int MaxRefusals = 200;

    private readonly Channel<ReadOnlyMemory<byte>> _outgoing =
        Channel.CreateBounded<ReadOnlyMemory<byte>>(new BoundedChannelOptions(MaxQueuedMessages) { SingleReader = true });

    private readonly TokenBucket _rate = new(2 * settings.Limits.MessagesPerSecond, settings.Limits.MessagesPerSecond, time);
    private volatile CloseReason? _closeReason;
    private byte[] _incoming = new byte[4 * 1024];
    private byte[]? _discarded;
    private int _queuedOctets;
    private int _refusals;

    public string Id { get; } = RandomNumberGenerator.GetHexString(24, lowercase: true);

    /// <summary>The flow's place among all connections. A registered flow does not give way to others.</summary>
    public AdmittedConnection? Place { get; init; }

    /// <summary>The names by which the client may know this server: the host that it asked for, and the address that it reached.</summary>
    public IReadOnlyList<string> ServerNames { get; init; } = [];

    /// <summary>Null before the first registration. It may have expired.</summary>
    public FlowRegistration? Registration { get; set; }

    public bool IsRegistered => Registration is { } registration && registration.Binding.ExpiresAt > time.GetUtcNow();

    /// <summary>Identifies the client in the keys of transactions: its binding, which it keeps when it reconnects.</summary>
    public string RemoteId => Registration?.Binding.Id.ToString() ?? Id;

    /// <summary>
    /// Whether half of the queue is used. The rest is for what the client itself has begun, and for the ends of calls: with the requests of
    /// others alone, its connection must not be lost.
    /// </summary>
    public bool IsCongested =>
        Volatile.Read(ref _queuedOctets) > MaxQueuedOctets / 2 || _outgoing.Reader.Count > MaxQueuedMessages / 2;

    /// <summary>Counts a message. False if it is beyond the rate; a client that goes on is disconnected.</summary>
    public bool TryCountMessage()
    {
        if (_rate.TryAcquire()) return true;
        if (++_refusals > MaxRefusals) Close(CloseCode.TooMuch, "too many messages");
        return false;
    }

    public bool Send(SipMessage message) => Send(SipWriter.Write(message));

    /// <summary>Queues a message. False if the connection is over, or the client reads too slowly.</summary>
    public bool Send(ReadOnlyMemory<byte> octets)
    {
        if (Interlocked.Add(ref _queuedOctets, octets.Length) <= MaxQueuedOctets && _outgoing.Writer.TryWrite(octets)) return true;
        Close(CloseCode.TooMuch, "too slow");
        return false;
    }

    /// <summary>Sends the queue and the reason, then ends the connection.</summary>
    public void Close(WebSocketCloseStatus status, string reason)
    {
        _closeReason ??= new(status, reason);
        _outgoing.Writer.TryComplete();
    }

    /// <summary>Runs until either side closes.</summary>
    /// <param name="onMessage">Handles one message; the next one waits until it is done.</param>
    public async Task RunAsync(Func<ReadOnlyMemory<byte>, Task> onMessage)
    {
        var receiving = ReceiveAllAsync(onMessage);
        await SendAllAsync();
        await CloseSocketAsync();
        try
        {
            await receiving.WaitAsync(ConnectionLifetimes.Close, time);
        }
        catch (TimeoutException)
        {
            socket.Abort();
            await receiving;
        }
    }

    private async Task ReceiveAllAsync(Func<ReadOnlyMemory<byte>, Task> onMessage)
    {
        try
        {
            while (await ReceiveAsync() is { } octets)
            {
                // Messages after our close are ignored.
                if (_closeReason is null) await HandleAsync(octets, onMessage);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client has gone without a closing handshake.
        }
        _outgoing.Writer.TryComplete();
    }

    /// <summary>
    /// The next message; null if the client has closed. Of a message that is too long, it is the first octets, one more than are allowed.
    /// </summary>
    private async Task<ReadOnlyMemory<byte>?> ReceiveAsync()
    {
        var (length, discarded) = (0, 0);
        while (true)
        {
            var isFull = length > SipParser.MaxMessageLength;
            var received = await socket.ReceiveAsync(
                isFull ? _discarded ??= new byte[4 * 1024] : _incoming.AsMemory(length), CancellationToken.None);
            if (received.MessageType == WebSocketMessageType.Close) return null;
            if (isFull) discarded += received.Count;
            else length += received.Count;
            if (discarded > MaxDiscarded)
            {
                Close(CloseCode.TooBig, "too long");
                return null;
            }

            if (received.EndOfMessage) return _incoming.AsMemory(0, length);
            if (length < _incoming.Length || isFull) continue;
            Array.Resize(ref _incoming, Math.Min(2 * _incoming.Length, SipParser.MaxMessageLength + 1));
        }
    }

    // RFC 5626 §3.5.1: two line ends are a keep-alive, one line end is the answer to it.
    private async Task HandleAsync(ReadOnlyMemory<byte> octets, Func<ReadOnlyMemory<byte>, Task> onMessage)
    {
        if (octets.Span.ContainsAnyExcept("\r\n"u8)) await onMessage(octets);
        else if (octets.Span.Count((byte)'\n') > 1 && TryCountMessage()) Send("\r\n"u8.ToArray());
    }

    private async Task SendAllAsync()
    {
        try
        {
            await foreach (var octets in _outgoing.Reader.ReadAllAsync())
            {
                Interlocked.Add(ref _queuedOctets, -octets.Length);
                // A body may be binary (RFC 7118 §4.2).
                var type = Utf8.IsValid(octets.Span) ? WebSocketMessageType.Text : WebSocketMessageType.Binary;
                var sending = socket.SendAsync(octets, type, endOfMessage: true, CancellationToken.None);
                // Only a client that does not read lets a send wait, and only then it needs a timer.
                if (sending.IsCompleted) await sending;
                else await sending.AsTask().WaitAsync(ConnectionLifetimes.Send, time);
            }
        }
        catch (Exception error) when (error is WebSocketException or IOException or ObjectDisposedException or TimeoutException)
        {
            // A send that still waits fails then.
            socket.Abort();
            Close(CloseCode.GoingAway, "gone");
        }
    }

    private async Task CloseSocketAsync()
    {
        var (status, reason) = _closeReason ?? new(WebSocketCloseStatus.NormalClosure, "");
        using var limit = new CancellationTokenSource(ConnectionLifetimes.Close, time);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await socket.CloseOutputAsync(status, reason, limit.Token);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException)
        {
            // The client has gone already.
        }
    }

    private sealed record CloseReason(WebSocketCloseStatus Status, string Reason);
}
