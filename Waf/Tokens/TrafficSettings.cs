using WebRtcIms.Contracts;

namespace WebRtcIms.Waf.Tokens;

/// <summary>What an allocation may relay in each direction; 0 for no limit beside that of the TURN server.</summary>
internal sealed class TrafficSettings
{
    public int PacketsPerSecond { get; set; }

    public int BytesPerSecond { get; set; }

    /// <summary>For the grant of a token; null without limits.</summary>
    public GrantedTraffic? ToGrant() =>
        PacketsPerSecond > 0 || BytesPerSecond > 0 ? new GrantedTraffic(PacketsPerSecond, BytesPerSecond) : null;

    public IEnumerable<string> Problems()
    {
        if (PacketsPerSecond < 0) yield return "PacketsPerSecond must be 0 (no limit) or more";
        if (BytesPerSecond < 0) yield return "BytesPerSecond must be 0 (no limit) or more";
    }
}

/// <summary>The limits in grants, by who gets the token.</summary>
/// <param name="Guest">Users without a log-in.</param>
/// <param name="User">All others.</param>
internal sealed record GrantedLimits(GrantedTraffic? Guest, GrantedTraffic? User)
{
    public GrantedTraffic? For(bool isGuest) => isGuest ? Guest : User;
}
