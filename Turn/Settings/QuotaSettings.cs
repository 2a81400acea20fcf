namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Live allocations at most. A browser makes one for each interface and server address and prunes most of them within
/// milliseconds, so a call takes several for a moment.
/// </summary>
internal sealed class QuotaSettings
{
    public int PerToken { get; set; } = 24;

    /// <summary>Client addresses from which one token may be used: a phone may change networks in a call.</summary>
    public int AddressesPerToken { get; set; } = 4;

    public int PerUser { get; set; } = 48;

    /// <summary>An IPv6 address counts with its whole /64.</summary>
    public int PerClientAddress { get; set; } = 1000;

    public int Total { get; set; } = 16000;

    /// <summary>Datagrams that one allocation may relay in each direction; the rest is dropped. 0 for no bound.</summary>
    public int PacketsPerSecond { get; set; }

    /// <summary>Octets of payload that one allocation may relay in each direction; the rest is dropped. 0 for no bound.</summary>
    public int BytesPerSecond { get; set; }

    public IEnumerable<string> Problems()
    {
        if (PerToken < 1) yield return "Turn:Quotas:PerToken must be at least 1";
        if (AddressesPerToken < 1) yield return "Turn:Quotas:AddressesPerToken must be at least 1";
        if (PerUser < 1) yield return "Turn:Quotas:PerUser must be at least 1";
        if (PerClientAddress < 1) yield return "Turn:Quotas:PerClientAddress must be at least 1";
        if (Total < 1) yield return "Turn:Quotas:Total must be at least 1";
        if (PacketsPerSecond < 0) yield return "Turn:Quotas:PacketsPerSecond must be 0 (no bound) or more";
        if (BytesPerSecond < 0) yield return "Turn:Quotas:BytesPerSecond must be 0 (no bound) or more";
    }
}
