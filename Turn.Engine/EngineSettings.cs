using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Engine;

/// <summary>What the engine's rules depend on.</summary>
public sealed record EngineSettings
{
    /// <summary>SOFTWARE in responses (RFC 8489 §14.14); no version, which would help only an attacker.</summary>
    public string Software { get; init; } = "WebRtcIms";

    /// <summary>Whether relayed transport addresses of a family can be had. The host changes it as addresses come and go.</summary>
    public bool RelaysIPv4 { get; set; } = true;

    /// <inheritdoc cref="RelaysIPv4"/>
    public bool RelaysIPv6 { get; set; }

    /// <summary>
    /// Without REQUESTED-ADDRESS-FAMILY a relay is of IPv4 (RFC 8656 §7.2). Browsers never send that attribute, so on a server with IPv6
    /// alone they would have no relay. With this they get the family of their own address, or else the one that can be had.
    /// </summary>
    public bool DefaultsToClientFamily { get; init; }

    /// <summary>RFC 8656 §7.2: an allocation that asks for nothing, or for less, gets this.</summary>
    public TimeSpan DefaultLifetime { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>RFC 8656 §7.2 recommends no more than an hour.</summary>
    public TimeSpan MaxLifetime { get; init; } = TimeSpan.FromSeconds(3600);

    /// <summary>Accept channel numbers up to 0x7FFF, as RFC 5766 §11 had them and older clients use.</summary>
    public bool Rfc5766Channels { get; init; }

    /// <summary>Take ADDITIONAL-ADDRESS-FAMILY under its number in the drafts of RFC 8656, too, which older clients use.</summary>
    public bool DraftAddressFamily { get; init; }

    /// <summary>Whether TCP allocations are made (RFC 6062).</summary>
    public bool TcpRelays { get; init; }

    /// <summary>Connections with peers that one TCP allocation may have at a time.</summary>
    public int MaxPeerConnections { get; init; } = 64;

    /// <summary>Permissions that one allocation may have at a time; more are refused with 508.</summary>
    public int MaxPermissions { get; init; } = 1024;

    /// <summary>Channels that one allocation may have at a time; more are refused with 508.</summary>
    public int MaxChannels { get; init; } = 256;

    /// <summary>Ports that may be reserved for one client address at a time; more are refused with 508. They are in no quota.</summary>
    public int MaxReservations { get; init; } = 64;

    /// <summary>How long a reserved port waits for its RESERVATION-TOKEN; RFC 8656 §7.2 wants 30 s at least.</summary>
    public TimeSpan ReservationLifetime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether relays can send with DF set; if not, DONT-FRAGMENT is an unknown attribute (RFC 8656 §7.2).</summary>
    public bool DontFragment { get; init; } = true;

    /// <summary>What each allocation may relay at most; no bound by default.</summary>
    public TrafficLimits Traffic { get; init; }

    /// <summary>Unauthenticated answers over UDP for each address and second; 0 for no bound.</summary>
    public int ChallengesPerSecond { get; init; }
}
