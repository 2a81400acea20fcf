using System.Diagnostics;

namespace WebRtcIms.Soak.Churn;

/// <summary>
/// Pairs of pages that call at a given rate. Each pair signs out after some calls, and others begin. If all pairs are busy, calls start
/// later: then the rate is what the machine can do.
/// </summary>
internal sealed class CallChurn(Uri gateway, SoakOptions options)
{
    private const int MostProblems = 20;
    private const int CallsOfRegistration = 5;

    // Signalling and tokens of a call beside its media.
    private const double SecondsOfSetUp = 1.5;

    private readonly Stopwatch _watch = new();
    private long _started;
    private long _calls;
    private long _failed;
    private long _reported;
    private long _pages;
    private volatile bool _isOver;

    public long Calls => Interlocked.Read(ref _calls);

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Pages that registered.</summary>
    public long Pages => Interlocked.Read(ref _pages);

    private TimeSpan End => TimeSpan.FromMinutes(options.Minutes);

    public async Task RunAsync()
    {
        var pairs = Math.Max(2, (int)Math.Ceiling(options.CallsPerMinute / 60.0 * (options.CallSeconds + SecondsOfSetUp)));
        _watch.Start();
        await Task.WhenAll(Enumerable.Range(0, pairs).Select(number => Task.Run(() => RunPairAsync(number))));
    }

    private async Task RunPairAsync(int number)
    {
        while (!_isOver && _watch.Elapsed < End)
        {
            try
            {
                await RunPagesAsync(number);
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                // The failure is counted, and the run goes on with other pages.
                Interlocked.Increment(ref _failed);
                Report(problem);
                await Task.Delay(1000);
            }
        }
    }

    // The first pair are users with a password. All others are guests.
    private async Task RunPagesAsync(int number)
    {
        using var caller = number == 0
            ? await Page.OfUserAsync(gateway, "alice", "alice-calls-bob") : await Page.OfGuestAsync(gateway);
        using var callee = number == 0
            ? await Page.OfUserAsync(gateway, "bob", "bob-calls-alice") : await Page.OfGuestAsync(gateway);
        Interlocked.Add(ref _pages, 2);
        for (var call = 0; call < options.CallsOfPage && await IsDueAsync(); call++)
        {
            await Call.RunAsync(caller, callee, TimeSpan.FromSeconds(options.CallSeconds));
            Interlocked.Increment(ref _calls);
            if ((call + 1) % CallsOfRegistration == 0) await Task.WhenAll(caller.RenewAsync(), callee.RenewAsync());
        }

        await caller.SignOutAsync();
        await callee.SignOutAsync();
    }

    private void Report(Exception problem)
    {
        if (Interlocked.Increment(ref _reported) > MostProblems) return;
        Console.WriteLine($"{_watch.Elapsed:hh\\:mm\\:ss} {Text(problem)}");
    }

    // The stack of the runtime's own methods says nothing about a call.
    private static string Text(Exception problem) =>
        $"{problem.GetType().Name}: {problem.Message.Split('\n')[0]} <- {problem.InnerException?.Message} "
        + string.Join(' ', (problem.StackTrace ?? "").Split('\n')
            .Where(line => line.Contains("WebRtcIms", StringComparison.Ordinal)).Take(3)
            .Select(line => line.Trim().Split(" in ")[0]));

    /// <summary>Waits for the time of the next call. False after the last one.</summary>
    private async Task<bool> IsDueAsync()
    {
        var due = TimeSpan.FromMinutes((Interlocked.Increment(ref _started) - 1) / (double)options.CallsPerMinute);
        _isOver |= due >= End || _watch.Elapsed >= End;
        if (_isOver) return false;
        if (due > _watch.Elapsed) await Task.Delay(due - _watch.Elapsed);
        return true;
    }
}
