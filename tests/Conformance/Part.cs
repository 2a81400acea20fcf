namespace WebRtcIms.Conformance;

/// <summary>A section of a report.</summary>
/// <param name="Title">The heading.</param>
/// <param name="IsListed">Whether requirements.csv lists its lines; otherwise the tags name clauses of standards.</param>
/// <param name="Prefixes">How its tags begin.</param>
public sealed record Part(string Title, bool IsListed, params string[] Prefixes)
{
    internal bool Holds(string tag) => Prefixes.Any(prefix => tag.StartsWith(prefix, StringComparison.Ordinal));
}
