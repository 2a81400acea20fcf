namespace WebRtcIms.Waf.Clients;

/// <summary>
/// The identities that a client may get registration tokens for: public user identities, with at most one <c>*</c> for any
/// characters of the user part, such as <c>sip:guest-*@webrtcims.local</c>.
/// </summary>
internal static class IdentityBlock
{
    private const int MaxLength = 255;

    public static bool IsPattern(string text) => IsImpu(text.Replace("*", "", StringComparison.Ordinal)) && text.Count(c => c == '*') <= 1;

    public static bool Contains(IEnumerable<string> patterns, string impu) =>
        IsImpu(impu) && patterns.Any(pattern => Matches(pattern, impu));

    /// <summary>Whether an identity, or all identities of a pattern, are within the patterns.</summary>
    public static bool Includes(IEnumerable<string> patterns, string other) => other.Split('*') is [var start, var end]
        ? IsPattern(other) && patterns.Any(pattern => pattern.Split('*') is [var widerStart, var widerEnd]
            && start.StartsWith(widerStart, StringComparison.Ordinal) && end.EndsWith(widerEnd, StringComparison.Ordinal))
        : Contains(patterns, other);

    private static bool IsImpu(string text) =>
        text.StartsWith("sip:", StringComparison.Ordinal) && text.Length <= MaxLength && text.Count(c => c == '@') == 1
        && text.All(c => char.IsAsciiLetterOrDigit(c) || ":@-_.!~'()+".Contains(c, StringComparison.Ordinal));

    // Start and end must not overlap in the identity.
    private static bool Matches(string pattern, string impu) => pattern.Split('*') is [var start, var end]
        ? impu.Length >= start.Length + end.Length
            && impu.StartsWith(start, StringComparison.Ordinal)
            && impu.EndsWith(end, StringComparison.Ordinal)
        : pattern == impu;
}
