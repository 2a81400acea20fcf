using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text.Unicode;
using System.Threading.Channels;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.WebSockets;

/// <summary>Why we close a connection (RFC 6455 §7.4; 4000 and above are ours).</summary>
internal static class CloseCode
{
    public const WebSocketCloseStatus GoingAway = WebSocketCloseStatus.EndpointUnavailable;
    public const WebSocketCloseStatus TooMuch = WebSocketCloseStatus.PolicyViolation;
    public const WebSocketCloseStatus TooBig = WebSocketCloseStatus.MessageTooBig;
    public const WebSocketCloseStatus NotRegistered = (WebSocketCloseStatus)4401;
    public const WebSocketCloseStatus Replaced = (WebSocketCloseStatus)4409;
    public const WebSocketCloseStatus SignedOut = (WebSocketCloseStatus)4403;
}

/// <summary>For whom a connection is registered.</summary>
/// <param name="Binding">The binding, as last registered.</param>
/// <param name="Subscriber">The subscription.</param>
/// <param name="Impus">The identities that are registered; the first is the default one.</param>
internal sealed record FlowRegistration(Binding Binding, Subscriber Subscriber, IReadOnlyList<string> Impus);

/// <summary>
/// A connection with a WIC (a flow of RFC 5626): reads messages one after the other, and sends without ever waiting. What a
/// client does not take is bounded; a client that takes nothing is cut off.
/// </summary>
internal sealed class Flow(WebSocket socket, EpCscfSettings settings, TimeProvider time)
{
    private const int MaxQueuedMessages = 512;
    private const int MaxQueuedOctets = 1024 * 1024;

    // As often may a client be told that it sends too much before it is cut off.
    private const int MaxRefusals = 200;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly Channel<ReadOnlyMemory<byte>> _outgoing = Channel.CreateBounded<ReadOnlyMemory<byte>>(new BoundedChannelOptions(MaxQueuedMessages) { SingleReader = true });
    private readonly TokenBucket _rate = new(2 * settings.Limits.MessagesPerSecond, settings.Limits.MessagesPerSecond, time);
    private volatile CloseReason? _closeReason;
    private byte[] _incoming = new byte[4 * 1024];
    private int _queuedOctets;
    private int _refusals;

    public string Id { get; } = RandomNumberGenerator.GetHexString(24, lowercase: true);

    /// <summary>Set by the registrar; may have expired.</summary>
    public FlowRegistration? Registration { get; set; }

    public bool IsRegistered => Registration is { } registration && registration.Binding.ExpiresAt > time.GetUtcNow();

    /// <summary>Who sends here, for telling transactions apart: the binding, which a reconnected page keeps.</summary>
    public string Place => Registration?.Binding.Id.ToString() ?? Id;

    /// <summary>Whether this message is within the rate; a client that goes on beyond it is cut off.</summary>
    public bool TakeRate()
    {
        if (_rate.TryTake()) return true;
        if (++_refusals > MaxRefusals) Close(CloseCode.TooMuch, "too many messages");
        return false;
    }

    public bool Send(SipMessage message) => Send(SipWriter.Write(message));

    /// <summary>Queues a message. False when the connection is over, or takes too little of what it is sent.</summary>
    public bool Send(ReadOnlyMemory<byte> octets)
    {
        if (Interlocked.Add(ref _queuedOctets, octets.Length) <= MaxQueuedOctets && _outgoing.Writer.TryWrite(octets)) return true;
        Close(CloseCode.TooMuch, "too slow");
        return false;
    }

    /// <summary>Sends what is queued, says why, and ends the connection.</summary>
    public void Close(WebSocketCloseStatus status, string reason)
    {
        _closeReason ??= new(status, reason);
        _outgoing.Writer.TryComplete();
    }

    /// <summary>Until the connection ends, from which side ever.</summary>
    /// <param name="onMessage">Called for each message; the next one waits until it is done.</param>
    public async Task RunAsync(Func<ReadOnlyMemory<byte>, Task> onMessage)
    {
        var receiving = ReceiveAllAsync(onMessage);
        await SendAllAsync();
        await SayGoodbyeAsync();
        try
        {
            await receiving.WaitAsync(CloseTimeout, time);
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
                // What comes after we said that it is over is not looked at.
                if (_closeReason is null) await TakeAsync(octets, onMessage);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // Gone without a word.
        }
        _outgoing.Writer.TryComplete();
    }

    /// <summary>The next message; null when there is none any more.</summary>
    private async Task<ReadOnlyMemory<byte>?> ReceiveAsync()
    {
        var length = 0;
        while (true)
        {
            var received = await socket.ReceiveAsync(_incoming.AsMemory(length), CancellationToken.None);
            if (received.MessageType == WebSocketMessageType.Close) return null;
            length += received.Count;
            if (length > SipParser.MaxMessageLength)
            {
                Close(CloseCode.TooBig, "too long");
                return null;
            }
            if (received.EndOfMessage) return _incoming.AsMemory(0, length);
            if (length < _incoming.Length) continue;
            Array.Resize(ref _incoming, Math.Min(2 * _incoming.Length, SipParser.MaxMessageLength + 1));
        }
    }

    // RFC 5626 §3.5.1: two line ends ask whether we are there, one is the answer to that.
    private async Task TakeAsync(ReadOnlyMemory<byte> octets, Func<ReadOnlyMemory<byte>, Task> onMessage)
    {
        if (octets.Span.ContainsAnyExcept("\r\n"u8))
        {
            await onMessage(octets);
            return;
        }

        if (octets.Span.SequenceEqual("\r\n\r\n"u8) && TakeRate()) Send("\r\n"u8.ToArray());
    }

    private async Task SendAllAsync()
    {
        try
        {
            await foreach (var octets in _outgoing.Reader.ReadAllAsync())
            {
                Interlocked.Add(ref _queuedOctets, -octets.Length);
                // A body need not be text (RFC 7118 §4.2).
                var type = Utf8.IsValid(octets.Span) ? WebSocketMessageType.Text : WebSocketMessageType.Binary;
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20), time);
                await socket.SendAsync(octets, type, endOfMessage: true, limit.Token);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            Close(CloseCode.GoingAway, "gone");
        }
    }

    private async Task SayGoodbyeAsync()
    {
        var (status, reason) = _closeReason ?? new(WebSocketCloseStatus.NormalClosure, "");
        using var limit = new CancellationTokenSource(CloseTimeout, time);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived) await socket.CloseOutputAsync(status, reason, limit.Token);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException)
        {
            // It need not hear it.
        }
    }

    private sealed record CloseReason(WebSocketCloseStatus Status, string Reason);
}
