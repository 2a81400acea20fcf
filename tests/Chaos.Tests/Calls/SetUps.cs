using System.Collections.Concurrent;
using System.Diagnostics;
using WebRtcIms.Tests.Common.Users;
using WebRtcIms.Turn.Client;

namespace WebRtcIms.Chaos.Tests.Calls;

/// <summary>
/// Sets up a call again and again: session, both tokens, an allocation at either TURN node, and a registration. What a page would try
/// again within a set-up is tried again here.
/// </summary>
internal sealed class SetUps : IAsyncDisposable
{
    // As many in a row are a recovery.
    private const int Row = 3;
    private const int MostAtATime = 4;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(4);

    private readonly Uri _gateway;
    private readonly Func<Task<WebUser>> _enter;
    private readonly List<Attempt> _attempts = [];
    private readonly ConcurrentDictionary<string, SipUser> _devices = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _trying;
    private int _running;

    private SetUps(Uri gateway, Func<Task<WebUser>> enter)
    {
        (_gateway, _enter) = (gateway, enter);
        _trying = TryAgainAndAgainAsync();
    }

    /// <summary>Each set-up has a guest of its own, who needs a free identity.</summary>
    public static SetUps OfGuests(Uri gateway) => new(gateway, () => WebUser.EnterAsGuestAsync(gateway, Limit));

    /// <summary>Alice, who logs in before each.</summary>
    public static SetUps OfUser(Uri gateway) => new(gateway, () => WebUser.LogInAsync(gateway, "alice", "alice-calls-bob", Limit));

    /// <summary>How many failed of how many.</summary>
    public (int Failed, int All) Count
    {
        get
        {
            lock (_attempts) return (_attempts.Count(attempt => attempt.Error is not null), _attempts.Count);
        }
    }

    /// <summary>Why the last one failed.</summary>
    public Exception? LastError
    {
        get
        {
            lock (_attempts) return _attempts.FindLast(attempt => attempt.Error is not null)?.Error;
        }
    }

    /// <summary>From the beginning of the first set-up that failed to that of the next one that did not.</summary>
    public TimeSpan FailedFor
    {
        get
        {
            lock (_attempts)
            {
                var ordered = _attempts.OrderBy(attempt => attempt.Began).ToList();
                var (first, last) = (ordered.FindIndex(IsFailed), ordered.FindLastIndex(IsFailed));
                if (first < 0) return TimeSpan.Zero;
                var next = last + 1 < ordered.Count ? ordered[last + 1].Began : Stopwatch.GetTimestamp();
                return Stopwatch.GetElapsedTime(ordered[first].Began, next);
            }
        }
    }

    /// <summary>The time from the healing to the first of several successful set-ups in a row; null if there was none in time.</summary>
    public async Task<TimeSpan?> RecoverAsync(long healed, TimeSpan limit)
    {
        while (true)
        {
            if (RecoveredAt(healed) is { } at) return Stopwatch.GetElapsedTime(healed, at);
            if (Stopwatch.GetElapsedTime(healed) > limit) return null;
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _trying;
        await Task.WhenAll(_devices.Values.Select(device => Record.ExceptionAsync(() => device.UnregisterAsync()).AsTask()));
        foreach (var device in _devices.Values) device.Dispose();
        _end.Dispose();
    }

    private static bool IsFailed(Attempt attempt) => attempt.Error is not null;

    private long? RecoveredAt(long healed)
    {
        lock (_attempts)
        {
            var after = _attempts.Where(attempt => attempt.Began >= healed).OrderBy(attempt => attempt.Began).ToList();
            for (var i = 0; i + Row <= after.Count; i++)
            {
                if (!after.GetRange(i, Row).Exists(IsFailed)) return after[i].Began;
            }

            return null;
        }
    }

    private async Task TryAgainAndAgainAsync()
    {
        List<Task> all = [];
        try
        {
            using var timer = new PeriodicTimer(Interval);
            for (var number = 0; await timer.WaitForNextTickAsync(_end.Token); number++)
            {
                if (Volatile.Read(ref _running) < MostAtATime) all.Add(TryAsync(number));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(all);
        }
    }

    private async Task TryAsync(int number)
    {
        Interlocked.Increment(ref _running);
        var began = Stopwatch.GetTimestamp();
        var error = await Record.ExceptionAsync(() => SetUpAsync(number));
        lock (_attempts) _attempts.Add(new Attempt(began, error));
        Interlocked.Decrement(ref _running);
    }

    private async Task SetUpAsync(int number)
    {
        using var user = await _enter();
        await AllocateAsync(user, number);
        var (name, token) = await user.GetImsIdentityAsync();
        // A subscriber has a few devices. The same one registers again.
        if (!_devices.TryRemove(name, out var sip)) sip = new SipUser(name) { Patience = Limit };
        await OneOfTwoAsync(_ => sip.RegisterAsync(_gateway, token));
        if (!_devices.TryAdd(name, sip)) sip.Dispose();
    }

    // A browser asks both nodes. Here the order changes, and the second is asked when the first does not answer.
    private static async Task AllocateAsync(WebUser user, int number)
    {
        var (credential, servers) = await user.GetTurnTokenAsync();
        await OneOfTwoAsync(async i =>
        {
            using var limit = new CancellationTokenSource(Limit / 2);
            await using var client = await TurnClient.ConnectAsync(servers[(number + i) % servers.Count], cancellationToken: limit.Token);
            await client.AllocateAsync(credential, cancellationToken: limit.Token);
        });
    }

    private static async Task OneOfTwoAsync(Func<int, Task> attempt)
    {
        if (await Record.ExceptionAsync(() => attempt(0)) is not null) await attempt(1);
    }

    private sealed record Attempt(long Began, Exception? Error);
}
