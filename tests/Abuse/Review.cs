using System.Diagnostics;
using System.Runtime.InteropServices;
using WebRtcIms.Abuse.Findings;

namespace WebRtcIms.Abuse;

/// <summary>Runs all reproductions, one after the other, and prints a line for each.</summary>
internal static class Review
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LimitOfSlow = TimeSpan.FromSeconds(180);

    private static readonly IReadOnlyList<Finding> Findings =
    [
        .. Connections.All,
        .. Telemetry.All,
        .. Users.All,
        .. Sip.All,
        .. Guests.All,
        .. Relay.All,
        .. WafFindings.All,
        .. Bookkeeping.All,
    ];

    /// <returns>The exit code: 1 when a finding is broken, 2 when there is no application.</returns>
    public static async Task<int> RunAsync(Uri gateway, IReadOnlyCollection<string> only)
    {
        await using var targets = new Targets(gateway);
        if (!await AnswersAsync(gateway))
        {
            await Console.Error.WriteLineAsync($"No application answers at {gateway}. Start it with: dotnet run --project AppHost");
            return 2;
        }

        var findings = (only.Count == 0 ? Findings : Findings.Concat(Later.All).Where(finding => only.Contains(finding.Id)))
            .OrderBy(NumberOf).ToList();
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var slow = findings.Where(finding => finding.IsSlow).Select(finding => RunAsync(finding, targets, stop.Token)).ToList();
        List<Outcome> outcomes = [];
        foreach (var finding in findings.Where(finding => !finding.IsSlow)) outcomes.Add(await RunAsync(finding, targets, stop.Token));
        outcomes.AddRange(await Task.WhenAll(slow));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Count(Outcome.Held)} held, {Count(Outcome.Broken)} broken, "
            + $"{Count(Outcome.NotTried)} not tried"));
        return Count(Outcome.Broken) > 0 ? 1 : 0;

        // The parts that this program started end before it does.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }

        int Count(Outcome outcome) => outcomes.Count(each => each == outcome);
    }

    private static int NumberOf(Finding finding) => int.Parse(finding.Id[1..], CultureInfo.InvariantCulture);

    private static async Task<Outcome> RunAsync(Finding finding, Targets targets, CancellationToken stop)
    {
        var started = Stopwatch.GetTimestamp();
        var verdict = await TryAsync(finding, targets, stop);
        Console.WriteLine(Line(finding, verdict, Stopwatch.GetElapsedTime(started)));
        return verdict.Outcome;
    }

    // An attack that cannot go on has not shown that the defence holds.
    private static async Task<Verdict> TryAsync(Finding finding, Targets targets, CancellationToken stop)
    {
        try
        {
            return await finding.TryAsync(targets).WaitAsync(finding.IsSlow ? LimitOfSlow : Limit, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Verdict.NotTried("interrupted");
        }
        catch (Exception error)
        {
            return Verdict.If(false, $"the attack stopped: {error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static string Line(Finding finding, Verdict verdict, TimeSpan took)
    {
        var outcome = verdict.Outcome switch
        {
            Outcome.Held => "held",
            Outcome.Broken => "BROKEN",
            _ => "not tried",
        };
        return string.Create(CultureInfo.InvariantCulture, $"{finding.Id} {outcome}: {verdict.Text} ({took.TotalSeconds:0.0} s)");
    }

    private static async Task<bool> AnswersAsync(Uri gateway)
    {
        using var page = new Page(gateway);
        try
        {
            return (await page.BeginAsync()).IsOk;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
