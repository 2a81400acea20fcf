using System.ComponentModel.DataAnnotations;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Limits on live allocations. A browser makes one for each interface and server address and prunes most of them within
/// milliseconds, so a call has several for a moment.
/// </summary>
internal sealed class QuotaSettings
{
    private const string AtLeast = "{0} must be at least {1}";
    private const string ZeroOrMore = "{0} must be 0 (no limit) or more";

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerToken { get; set; } = 24;

    /// <summary>Client addresses from which one token may be used: a phone may change networks in a call.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int AddressesPerToken { get; set; } = 4;

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerUser { get; set; } = 48;

    /// <summary>An IPv6 address counts as its /64.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerClientAddress { get; set; } = 1000;

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int Total { get; set; } = 16000;

    /// <summary>Datagrams that one allocation may relay in each direction; the rest is dropped. 0 means no limit.</summary>
    [Range(0, int.MaxValue, ErrorMessage = ZeroOrMore)]
    public int PacketsPerSecond { get; set; }

    /// <summary>Octets of payload that one allocation may relay in each direction; the rest is dropped. 0 means no limit.</summary>
    [Range(0, int.MaxValue, ErrorMessage = ZeroOrMore)]
    public int BytesPerSecond { get; set; }
}
