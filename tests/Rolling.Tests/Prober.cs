using System.Diagnostics;
using System.Globalization;
using WebRtcIms.Tests.Common.Users;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Rolling.Tests;

/// <summary>What became of the set-up of a call. The moments are those of <see cref="Stopwatch"/>.</summary>
internal sealed record SetUp(long Began, long Ended, Exception? Error)
{
    public bool Failed => Error is not null;

    public TimeSpan Took => Stopwatch.GetElapsedTime(Began, Ended);
}

/// <summary>
/// Sets calls up, one after the other, as two new guests do: sessions, tokens, an allocation, registrations, INVITE, BYE. After a failure
/// it tries again after a pause.
/// </summary>
internal sealed class Prober(RollingSystem system, TimeSpan pauseAfterFailure) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly List<SetUp> _all = [];
    private readonly CancellationTokenSource _end = new();
    private Task _probing = Task.CompletedTask;

    private IReadOnlyList<SetUp> All
    {
        get
        {
            lock (_all) return [.. _all];
        }
    }

    public void Start() => _probing = ProbeAsync();

    /// <summary>Waits for a set-up that works, and begins after this call.</summary>
    public async Task UntilOneWorksAsync()
    {
        var asked = Stopwatch.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(3 * Limit);
        while (!All.Any(setUp => setUp.Began > asked && !setUp.Failed)) await Task.Delay(20, limit.Token);
    }

    /// <summary>Returns what became of the set-ups, in order.</summary>
    public async Task<IReadOnlyList<SetUp>> StopAsync()
    {
        await _end.CancelAsync();
        await _probing;
        return All;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _end.Dispose();
    }

    private async Task ProbeAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            var error = await Record.ExceptionAsync(() => SetUpAsync().WaitAsync(Limit));
            lock (_all) _all.Add(new(began, Stopwatch.GetTimestamp(), error));
            await Task.Delay(error is null ? Pause : pauseAfterFailure, CancellationToken.None);
        }
    }

    private async Task SetUpAsync()
    {
        using var caller = await WebUser.EnterAsGuestAsync(system.Page);
        using var callee = await WebUser.EnterAsGuestAsync(system.Page);
        using var calling = await RegisterAsync(caller);
        using var called = await RegisterAsync(callee);
        var (credential, servers) = await caller.GetTurnTokenAsync();
        await AllocateAsync(credential, servers);
        var call = CallAsync(calling, called);
        // The page shows at once that it has lost its connection.
        if (await Task.WhenAny(call, calling.Connection, called.Connection) != call)
            throw new InvalidOperationException("a connection ended during the call");
        await call;
    }

    private static async Task CallAsync(SipUser calling, SipUser called) =>
        await called.HangUpAsync(await calling.CallAsync(called), calling);

    private async Task<SipUser> RegisterAsync(WebUser web)
    {
        var (name, token) = await web.GetImsIdentityAsync();
        var sip = new SipUser(name) { Patience = Limit };
        await sip.RegisterAsync(system.Page, token);
        return sip;
    }

    // A browser asks all nodes at once, and needs one.
    private static async Task AllocateAsync(TurnCredential credential, IReadOnlyList<TurnUri> servers)
    {
        List<Task> asked = [.. servers.Select(server => AllocateAsync(credential, server))];
        while (true)
        {
            var first = await Task.WhenAny(asked);
            if (first.IsCompletedSuccessfully) return;
            asked.Remove(first);
            if (asked.Count == 0) await first;
        }
    }

    private static async Task AllocateAsync(TurnCredential credential, TurnUri server)
    {
        await using var client = await TurnClient.ConnectAsync(server);
        await using var allocation = await client.AllocateAsync(credential);
    }
}

/// <summary>What all probers have seen.</summary>
internal sealed class Outcome(IReadOnlyList<IReadOnlyList<SetUp>> probers)
{
    private readonly List<SetUp> _all = [.. probers.SelectMany(prober => prober).OrderBy(setUp => setUp.Began)];

    public int Count => _all.Count;

    public IReadOnlyList<SetUp> Failures => [.. _all.Where(setUp => setUp.Failed)];

    /// <summary>The longest time without the beginning of a set-up that worked, between two that worked.</summary>
    public TimeSpan LongestGap => Longest(_all.Where(setUp => !setUp.Failed).Select(setUp => setUp.Ended));

    /// <summary>From the beginning of the first set-up that failed to that of the next that worked, at its longest.</summary>
    public TimeSpan LongestFailure
    {
        get
        {
            var longest = TimeSpan.Zero;
            for (var i = 0; i < _all.Count; i++)
            {
                if (!_all[i].Failed) continue;
                var next = _all.FindIndex(i, setUp => !setUp.Failed);
                var until = next < 0 ? _all[^1].Ended : _all[next].Began;
                var lasted = Stopwatch.GetElapsedTime(_all[i].Began, until);
                if (lasted > longest) longest = lasted;
                if (next < 0) break;
                i = next;
            }

            return longest;
        }
    }

    /// <summary>Whether one prober failed twice in a row.</summary>
    public bool FailedAgain => probers.Any(prober => prober.Zip(prober.Skip(1)).Any(pair => pair.First.Failed && pair.Second.Failed));

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Count} set-ups, {Failures.Count} failed, for {LongestFailure.TotalMilliseconds:0} ms at the longest; "
        + $"the longest set-up took {_all.Max(setUp => setUp.Took).TotalMilliseconds:0} ms, "
        + $"the longest time between two that worked was {LongestGap.TotalMilliseconds:0} ms");

    private static TimeSpan Longest(IEnumerable<long> moments)
    {
        List<long> ordered = [.. moments.Order()];
        return ordered.Zip(ordered.Skip(1)).Select(pair => Stopwatch.GetElapsedTime(pair.First, pair.Second))
            .DefaultIfEmpty(TimeSpan.MaxValue).Max();
    }
}
