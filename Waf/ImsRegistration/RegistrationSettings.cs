using System.Globalization;
using WebRtcIms.Contracts.RegistrationTokens;

namespace WebRtcIms.Waf.ImsRegistration;

/// <summary>The section <c>Waf:ImsRegistration</c>; without it no registration tokens are made.</summary>
internal sealed class RegistrationSettings
{
    /// <summary>The home domain whose eP-CSCF takes the tokens.</summary>
    public string Domain { get; set; } = "";

    /// <summary>This WAF's identity (claims <c>iss</c> and <c>3gpp-waf</c>).</summary>
    public string Identity { get; set; } = "";

    public string Kid { get; set; } = "";

    /// <summary>Base64 of 32 octets, shared with the eP-CSCF alone.</summary>
    public string Key { get; set; } = "";

    public string TokenLifetime { get; set; } = "00:10:00";

    public TimeSpan Lifetime => TimeSpan.TryParse(TokenLifetime, CultureInfo.InvariantCulture, out var lifetime) ? lifetime : default;

    public IEnumerable<string> Problems(List<TurnServerSettings> turnServers)
    {
        if (Domain.Length == 0) yield return "Domain is missing";
        if (Identity.Length == 0) yield return "Identity is missing";
        if (RegistrationTokenKey.Problem(Kid, Key) is { } problem) yield return problem;
        else if (turnServers.Exists(server => server.Key == Key)) yield return "Key must not be that of a TURN server, which could then make registration tokens";
        if (Lifetime < Contracts.TokenLimits.ShortestLifetime || Lifetime > Contracts.TokenLimits.LongestLifetime) yield return "TokenLifetime must be a time from 00:00:30 to 1.00:00:00";
    }
}

/// <summary>
/// The identities that a client may get registration tokens for: public user identities, with at most one <c>*</c> for any
/// characters of the user part, such as <c>sip:guest-*@webrtcims.local</c>.
/// </summary>
internal static class IdentityBlock
{
    private const int MaxLength = 255;

    public static bool IsPattern(string text) => IsImpu(text.Replace("*", "", StringComparison.Ordinal)) && text.Count(c => c == '*') <= 1;

    public static bool Contains(IEnumerable<string> patterns, string impu) => IsImpu(impu) && patterns.Any(pattern => Matches(pattern, impu));

    private static bool IsImpu(string text) =>
        text.StartsWith("sip:", StringComparison.Ordinal) && text.Length <= MaxLength && text.Count(c => c == '@') == 1
        && text.All(c => char.IsAsciiLetterOrDigit(c) || ":@-_.!~'()+".Contains(c, StringComparison.Ordinal));

    private static bool Matches(string pattern, string impu) => pattern.Split('*') is [var start, var end]
        ? impu.Length >= start.Length + end.Length && impu.StartsWith(start, StringComparison.Ordinal) && impu.EndsWith(end, StringComparison.Ordinal)
        : pattern == impu;
}
