namespace WebRtcIms.Abuse.Frame;

/// <summary>What became of a reproduction.</summary>
internal enum Outcome
{
    Held,
    Broken,
    NotTried,
}

/// <summary>The outcome of a reproduction, and the figure or reason that shows it.</summary>
internal sealed record Verdict(Outcome Outcome, string Text)
{
    public static Verdict NotTried(string reason) => new(Outcome.NotTried, reason);

    /// <summary>Held if <paramref name="holds"/>. The text has the figure in both cases.</summary>
    public static Verdict If(bool holds, string text) => new(holds ? Outcome.Held : Outcome.Broken, text);

    /// <summary>Several parts of one finding: one that is broken breaks the finding.</summary>
    public static Verdict All(params IReadOnlyCollection<Verdict> parts)
    {
        var broken = parts.Where(part => part.Outcome == Outcome.Broken).ToList();
        return broken.Count > 0
            ? new(Outcome.Broken, string.Join("; ", broken.Select(part => part.Text)))
            : new(Outcome.Held, string.Join("; ", parts.Select(part => part.Text)));
    }
}
