using System.Globalization;

namespace WebRtcIms.Chaos.Tests;

/// <summary>Something breaks for some seconds, and then works again.</summary>
/// <param name="Name">As in docs/reliability.md.</param>
/// <param name="ActAsync">Breaks it.</param>
/// <param name="HealAsync">Repairs it, as its operator would.</param>
internal sealed record Fault(string Name, Func<Task> ActAsync, Func<Task> HealAsync)
{
    /// <summary>From the one to the other.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Whether the nodes cannot ask Redis meanwhile: the window of <c>Turn:OnCacheUnavailable=AllowLocal</c>.</summary>
    public bool IsOfRedis { get; init; }

    /// <summary>Whether the row waits until a sign-out of that time has effect. That may take 20 s.</summary>
    public bool WaitsForSignOut { get; init; }

    public Fault(string name, Action act, Action heal)
        : this(name, () => RunAsync(act), () => RunAsync(heal))
    {
    }

    /// <summary>Whether it ends the relays of a TURN node. Their media moves to the other one, and some of it is lost.</summary>
    public bool EndsRelays { get; init; }

    private static Task RunAsync(Action action)
    {
        action();
        return Task.CompletedTask;
    }
}

/// <summary>What a fault did.</summary>
internal sealed record Figures(
    string Fault, TimeSpan Duration, int Kept, int Lost, int Sent, int Missing, TimeSpan Silence, int Shown, int Accepted, int InWindow,
    Recovery Users, Recovery Guests)
{
    private string Moved => Silence == TimeSpan.Zero
        ? "" : string.Create(CultureInfo.InvariantCulture, $", {Silence.TotalSeconds:0.0} s of silence");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"| {Fault} | {Duration.TotalSeconds:0} s | {Kept} | {Lost} | {Missing} of {Sent}{Moved} | {Accepted} of {Shown} | {InWindow} ")
        + $"| {Users} | {Guests} |";
}

/// <summary>Set-ups around a fault.</summary>
/// <param name="Failed">How many failed.</param>
/// <param name="All">How many there were.</param>
/// <param name="FailedFor">From the first that failed to the next success.</param>
/// <param name="After">From the healing to the first of several successes in a row.</param>
internal sealed record Recovery(int Failed, int All, TimeSpan FailedFor, TimeSpan After)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Failed} of {All} failed, {FailedFor.TotalSeconds:0.0} s; {After.TotalSeconds:0.0} s");
}
