namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>
/// The ranges of IANA's special-purpose address registries (RFC 6890, as of 2025), and the ranges that other registries keep from
/// hosts: multicast, and IPv6's former site-local and IPv4-compatible addresses.
/// </summary>
internal static class SpecialPurposeRegistries
{
    public static readonly string[] IPv4 =
    [
        "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24",
        "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32", "224.0.0.0/4",
    ];

    public static readonly string[] IPv6 =
    [
        "::1/128", "::/128", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48",
        "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2620:4f:8000::/48",
        "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "ff00::/8", "fec0::/10",
    ];

    /// <summary>Ranges whose addresses have an IPv4 address inside, each with 8.8.8.8 and with 127.0.0.1 in it.</summary>
    public static readonly (string Range, string WithPublic, string WithLoopback)[] Embedding =
    [
        ("::/96", "::808:808", "::7f00:1"),
        ("::ffff:0:0/96", "::ffff:8.8.8.8", "::ffff:127.0.0.1"),
        ("64:ff9b::/96", "64:ff9b::808:808", "64:ff9b::7f00:1"),
        ("64:ff9b:1::/48", "64:ff9b:1::808:808", "64:ff9b:1::7f00:1"),
        ("2002::/16", "2002:808:808::1", "2002:7f00:1::1"),
        ("2001::/32", "2001:0:1:2:3:4:f7f7:f7f7", "2001:0:1:2:3:4:80ff:fffe"),
    ];
}
