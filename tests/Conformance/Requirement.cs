namespace WebRtcIms.Conformance;

/// <summary>One line of requirements.csv: something that the server must do, or survive.</summary>
/// <param name="Id">What tests are tagged with, such as <c>TURN-B7</c> or <c>ABUSE-35</c>.</param>
/// <param name="Level">M for MUST, S for SHOULD, O for optional, - for a rule of this project.</param>
/// <param name="Clause">Where it is said.</param>
/// <param name="Text">What it says, in short.</param>
/// <param name="Note">Why it is not supported, or how far; empty when there is nothing to say.</param>
internal sealed record Requirement(string Id, string Level, string Clause, string Text, string Note)
{
    /// <summary>Reads the list.</summary>
    /// <exception cref="FormatException">A line does not have five fields.</exception>
    public static IReadOnlyList<Requirement> ReadAll(string path) => [.. File.ReadLines(path).Skip(1).Select(Parse)];

    private static Requirement Parse(string line) => line.Split(';') is [var id, var level, var clause, var text, var note]
        ? new Requirement(id, level, clause, text, note)
        : throw new FormatException($"not five fields: {line}");
}
