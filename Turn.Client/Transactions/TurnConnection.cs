using System.Collections.Concurrent;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Transport;

namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>One path to a server: sends requests until they are answered, and dispatches received messages.</summary>
internal sealed class TurnConnection : IAsyncDisposable
{
    private readonly ITurnTransport _transport;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<TransactionId, Transaction> _transactions = [];
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _gate = new();
    private readonly Task _receiving;
    private IRelayedDataReceiver? _receiver;
    private volatile Exception? _lost;
    private bool _isDisposed;

    public TurnConnection(ITurnTransport transport, TimeProvider time)
    {
        _transport = transport;
        _time = time;
        _receiving = Task.Run(ReceiveAsync);
    }

    /// <summary>Sets the receiver of relayed data. It is notified when the connection is lost: at once, if it already is.</summary>
    public void SetReceiver(IRelayedDataReceiver? receiver)
    {
        lock (_gate) _receiver = receiver;
        if (_lost is { } error) receiver?.Lost(error);
    }

    /// <summary>Sends a request, retransmits it until an answer comes, and returns the answer.</summary>
    /// <exception cref="TurnException">No answer, or no connection.</exception>
    public async Task<StunResponse> ExchangeAsync(Transaction transaction, CancellationToken cancel)
    {
        _transactions[transaction.Id] = transaction;
        try
        {
            if (_lost is TurnException lost) throw new TurnException(lost.Message, lost);
            if (_lost is not null) throw Disposed();
            foreach (var wait in Retransmission.Waits(_transport.IsReliable))
            {
                await SendAsync(transaction.Request, cancel);
                await ((Task)transaction.Response.WaitAsync(wait, _time, cancel)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (transaction.Response.IsCompleted) return await transaction.Response;
                cancel.ThrowIfCancellationRequested();
            }

            throw transaction.TimedOut();
        }
        finally
        {
            _transactions.TryRemove(transaction.Id, out _);
        }
    }

    /// <exception cref="TurnException">The message cannot be sent.</exception>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        try
        {
            await _transport.SendAsync(message, cancel);
        }
        catch (Exception error) when (error is SocketException or IOException or ObjectDisposedException)
        {
            throw new TurnException($"The TURN server cannot be reached: {error.Message}", error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true)) return;
        await _closing.CancelAsync();
        await _transport.DisposeAsync();
        await _receiving;
        _closing.Dispose();
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[StreamFraming.MaxFrameLength];
        try
        {
            while (true)
            {
                var length = await ReceiveOneAsync(buffer);
                if (length > 0) Dispatch(buffer.AsSpan(0, length));
            }
        }
        catch (Exception error)
        {
            Lose(_closing.IsCancellationRequested
                ? Disposed()
                : new TurnException($"The connection to the TURN server is lost: {error.Message}", error));
        }
    }

    private async ValueTask<int> ReceiveOneAsync(byte[] buffer)
    {
        try
        {
            return await _transport.ReceiveAsync(buffer, _closing.Token);
        }
        catch (SocketException error) when (!_transport.IsReliable && IsUnreachable(error.SocketErrorCode))
        {
            // A fatal ICMP error ends the transactions (RFC 8489 §6.2.1) but not the path: the server may return.
            FailTransactions(new TurnException($"The TURN server cannot be reached: {error.Message}", error));
            return 0;
        }
    }

    private static bool IsUnreachable(SocketError error) =>
        error is SocketError.ConnectionRefused or SocketError.ConnectionReset
            or SocketError.HostUnreachable or SocketError.NetworkUnreachable;

    private void Dispatch(ReadOnlySpan<byte> message)
    {
        if (ChannelData.IsChannelData(message[0]))
        {
            if (ChannelData.TryRead(message, out var channel, out var payload)) Receiver?.Received(channel, payload);
            return;
        }

        if (StunMessageReader.TryRead(message, out var stun) != StunParseStatus.Ok || !stun.FingerprintIsAbsentOrRight) return;
        if (stun.Class is StunClass.SuccessResponse or StunClass.ErrorResponse)
        {
            if (_transactions.TryGetValue(stun.TransactionId, out var transaction)) transaction.Handle(stun);
            return;
        }

        // An ICMP error comes without DATA (RFC 8656 §11.5). It is ignored, as an unconnected datagram socket would.
        if (stun is { Class: StunClass.Indication, Method: StunMethod.Data }
            && stun.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var peer)
            && stun.TryGet(StunAttributeType.Data, out var data)
            && UnknownAttributes.FirstIn(stun) is null)
            Receiver?.Received(peer, data);
    }

    private IRelayedDataReceiver? Receiver
    {
        get
        {
            lock (_gate) return _receiver;
        }
    }

    // Callers know the client, not this class.
    private static ObjectDisposedException Disposed() => new("WebRtcIms.Turn.Client.TurnClient");

    private void Lose(Exception error)
    {
        _lost = error;
        FailTransactions(error);
        Receiver?.Lost(error);
    }

    private void FailTransactions(Exception error)
    {
        foreach (var transaction in _transactions.Values) transaction.Fail(error);
    }
}
