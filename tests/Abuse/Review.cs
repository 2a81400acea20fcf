using System.Diagnostics;
using WebRtcIms.Abuse.Findings;

namespace WebRtcIms.Abuse;

/// <summary>Runs all reproductions, one after the other, and prints a line for each.</summary>
internal static class Review
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private static readonly IReadOnlyList<Finding> Findings =
    [
        .. Connections.All,
        .. Telemetry.All,
        .. WafFindings.All,
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

        var counts = new Dictionary<Outcome, int>();
        foreach (var finding in Findings.OrderBy(finding => int.Parse(finding.Id[1..], CultureInfo.InvariantCulture)))
        {
            if (only.Count > 0 && !only.Contains(finding.Id)) continue;
            var started = Stopwatch.GetTimestamp();
            var verdict = await TryAsync(finding, targets);
            counts[verdict.Outcome] = counts.GetValueOrDefault(verdict.Outcome) + 1;
            Console.WriteLine(Line(finding, verdict, Stopwatch.GetElapsedTime(started)));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{counts.GetValueOrDefault(Outcome.Held)} held, {counts.GetValueOrDefault(Outcome.Broken)} broken, "
            + $"{counts.GetValueOrDefault(Outcome.NotTried)} not tried"));
        return counts.ContainsKey(Outcome.Broken) ? 1 : 0;
    }

    // An attack that cannot go on has not shown that the defence holds.
    private static async Task<Verdict> TryAsync(Finding finding, Targets targets)
    {
        try
        {
            return await finding.TryAsync(targets).WaitAsync(Limit);
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
