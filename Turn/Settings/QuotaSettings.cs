using System.ComponentModel.DataAnnotations;
using WebRtcIms.Turn.Engine.Allocations;

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
    public int PerToken { get; set; } = 16;

    /// <summary>Client addresses from which one token may be used: a phone may change networks in a call.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int AddressesPerToken { get; set; } = 4;

    /// <summary>
    /// A user is the session of the token's grant, a token without a grant, a static user, or an ephemeral user without the time in its
    /// name.
    /// </summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerUser { get; set; } = 32;

    /// <summary>An IPv6 address counts as its /64.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PerClientAddress { get; set; } = 200;

    /// <summary>Allocates in a minute, whether their allocations still exist or not. A call needs a few.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int AllocatesPerMinuteOfToken { get; set; } = 120;

    /// <summary>The same for all tokens that one client address uses. An IPv6 address counts as its /64.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int AllocatesPerMinuteOfClientAddress { get; set; } = 1000;

    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int Total { get; set; } = 16000;

    /// <summary>Peer addresses that one allocation may have permissions for at a time, and its channels.</summary>
    [Range(1, int.MaxValue, ErrorMessage = AtLeast)]
    public int PeersPerAllocation { get; set; } = 64;

    /// <summary>
    /// Datagrams that one allocation may relay in each direction; the rest is dropped. All allocations of a session together may relay
    /// twice as many. 0 means no limit.
    /// </summary>
    [Range(0, int.MaxValue, ErrorMessage = ZeroOrMore)]
    public int PacketsPerSecond { get; set; } = 1000;

    /// <summary>Octets of payload, under the same rules. The default is 6 Mbit/s, so that screen sharing at 4 Mbit/s fits.</summary>
    [Range(0, int.MaxValue, ErrorMessage = ZeroOrMore)]
    public int BytesPerSecond { get; set; } = 750_000;

    /// <summary>
    /// What all allocations of a client address that were made under tokens relay together in each direction. The default is 100 Mbit/s.
    /// </summary>
    public TrafficSettings ClientAddressTraffic { get; set; } = new() { PacketsPerSecond = 20_000, BytesPerSecond = 12_500_000 };

    /// <summary>The limits under a token whose grant is unknown: it may be a guest's.</summary>
    public TrafficSettings WithoutGrant { get; set; } = new() { PacketsPerSecond = 500, BytesPerSecond = 375_000 };

    internal sealed class TrafficSettings
    {
        /// <inheritdoc cref="QuotaSettings.PacketsPerSecond"/>
        [Range(0, int.MaxValue, ErrorMessage = ZeroOrMore)]
        public int PacketsPerSecond { get; set; }

        /// <inheritdoc cref="QuotaSettings.BytesPerSecond"/>
        [Range(0, int.MaxValue, ErrorMessage = ZeroOrMore)]
        public int BytesPerSecond { get; set; }

        public TrafficLimits ToLimits() => new(PacketsPerSecond, BytesPerSecond);
    }
}
