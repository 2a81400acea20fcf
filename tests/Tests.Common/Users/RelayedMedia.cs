using System.Diagnostics;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Tests.Common.Users;

/// <summary>A call's media: datagrams from one allocation to another at the same TURN server, until the test has seen enough.</summary>
public sealed class RelayedMedia : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    // They are read at the end. That may be minutes later.
    private static readonly TurnClientOptions KeepAll = new() { ReceiveQueueLength = 100_000 };

    private readonly TurnClient _callerClient;
    private readonly TurnClient _calleeClient;
    private readonly CancellationTokenSource _end = new();
    private Task<int> _sending = Task.FromResult(0);
    private readonly List<long> _sentAt = [];
    private TurnAllocation? _callee;
    private volatile bool _isAbandoned;
    private int _sent;

    private RelayedMedia(TurnClient caller, TurnClient callee) => (_callerClient, _calleeClient) = (caller, callee);

    /// <summary>How long the last datagrams may take to arrive.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The datagrams that the caller has sent.</summary>
    public int Sent => Volatile.Read(ref _sent);

    /// <summary>Ends with the stream, or fails when the server cannot be reached any more.</summary>
    public Task Sending => _sending;

    /// <param name="server">For both ends.</param>
    /// <param name="credential">For both ends.</param>
    /// <param name="interval">From one datagram to the next; 20 ms without it.</param>
    public static async Task<RelayedMedia> StartAsync(TurnUri server, TurnCredential credential, TimeSpan? interval = null)
    {
        var cancel = TestContext.Current.CancellationToken;
        var (callerClient, caller) = await AllocateAsync(server, credential, null);
        var (calleeClient, callee) = await AllocateAsync(server, credential, KeepAll);
        var stream = new RelayedMedia(callerClient, calleeClient);
        await callee.CreatePermissionAsync(caller.RelayedAddress.Address, cancel);
        await caller.BindChannelAsync(callee.RelayedAddress, cancel);
        stream._callee = callee;
        stream._sending = stream.SendAsync(caller, callee, interval ?? Interval);
        return stream;
    }

    /// <summary>Whether the caller's server answers in time.</summary>
    public async Task<bool> IsServedAsync(TimeSpan limit)
    {
        using var end = new CancellationTokenSource(limit);
        try
        {
            await _callerClient.GetMappedAddressAsync(end.Token);
            return true;
        }
        catch (Exception error) when (error is OperationCanceledException or TurnException)
        {
            return false;
        }
    }

    /// <summary>Ends the stream.</summary>
    /// <returns>How many datagrams the callee did not get.</returns>
    public async Task<int> StopAsync()
    {
        await _end.CancelAsync();
        return await _sending;
    }

    /// <summary>Ends a stream whose server has gone.</summary>
    /// <param name="until">The moment until which the server was there.</param>
    /// <returns>How many datagrams that were sent until then did not arrive.</returns>
    public async Task<int> AbandonAsync(long until)
    {
        _isAbandoned = true;
        await _end.CancelAsync();
        await ((Task)_sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var missing = Enumerable.Range(1, _sentAt.FindLastIndex(at => at <= until) + 1).ToHashSet();
        while (_callee!.Received.TryRead(out var datagram)) missing.Remove(BitConverter.ToInt32(datagram.Data.Span));
        return missing.Count;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _callerClient.DisposeAsync();
        await _calleeClient.DisposeAsync();
        _end.Dispose();
    }

    // The allocation of a client that has gone without a word lives on, and its port may be ours now (RFC 8656 §7.4, 437).
    private static async Task<(TurnClient Client, TurnAllocation Allocation)> AllocateAsync(
        TurnUri server, TurnCredential credential, TurnClientOptions? options)
    {
        while (true)
        {
            var client = await TurnClient.ConnectAsync(server, options, TestContext.Current.CancellationToken);
            try
            {
                return (client, await client.AllocateAsync(credential, cancellationToken: TestContext.Current.CancellationToken));
            }
            catch (TurnException refused)
            {
                await client.DisposeAsync();
                if (refused.Code != StunError.AllocationMismatch) throw;
            }
        }
    }

    private static async Task SendAsync(TurnAllocation caller, TurnAllocation callee, int number)
    {
        try
        {
            await caller.SendAsync(BitConverter.GetBytes(number), callee.RelayedAddress, TestContext.Current.CancellationToken);
        }
        catch (TurnException)
        {
            // The server is gone, so the datagram is lost.
        }
    }

    private async Task<int> SendAsync(TurnAllocation caller, TurnAllocation callee, TimeSpan interval)
    {
        using (var timer = new PeriodicTimer(interval))
        {
            try
            {
                while (await timer.WaitForNextTickAsync(_end.Token))
                {
                    _sentAt.Add(Stopwatch.GetTimestamp());
                    await SendAsync(caller, callee, Interlocked.Increment(ref _sent));
                }
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
                // Enough.
            }
        }

        if (_isAbandoned) return 0;
        using var patience = new CancellationTokenSource(Patience);
        for (var heard = 0; heard < _sent; heard++)
        {
            try
            {
                await callee.Received.ReadAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                return _sent - heard;
            }
        }

        return _sent == 0 ? throw new InvalidOperationException("nothing was sent") : 0;
    }
}
