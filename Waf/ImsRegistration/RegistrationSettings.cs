using WebRtcIms.Contracts;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.ImsRegistration;

/// <summary>The section <c>Waf:ImsRegistration</c>. Without it the WAF does not issue registration tokens.</summary>
internal sealed class RegistrationSettings
{
    /// <summary>The home domain whose eP-CSCF accepts the tokens.</summary>
    public string Domain { get; set; } = "";

    /// <summary>This WAF's identity (claims <c>iss</c> and <c>3gpp-waf</c>).</summary>
    public string Identity { get; set; } = "";

    public string Kid { get; set; } = "";

    /// <summary>Base64 of 32 octets, shared only with the eP-CSCF.</summary>
    public string Key { get; set; } = "";

    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The audience of the tokens: the home domain.</summary>
    public string Audience => $"sip:{Domain}";

    public IEnumerable<string> Problems(List<TurnServerSettings> turnServers)
    {
        if (Domain.Length == 0) yield return "Domain is missing";
        if (Identity.Length == 0) yield return "Identity is missing";
        if (RegistrationTokenKey.Problem(Kid, Key) is { } problem) yield return problem;
        else if (turnServers.Exists(server => server.Key == Key))
            yield return "Key must not be that of a TURN server, which could then make registration tokens";
        if (TokenLifetime < TokenLimits.ShortestLifetime || TokenLifetime > TokenLimits.LongestLifetime)
            yield return $"TokenLifetime must be a time from {TokenLimits.ShortestLifetime:c} to {TokenLimits.LongestLifetime:c}";
    }
}
