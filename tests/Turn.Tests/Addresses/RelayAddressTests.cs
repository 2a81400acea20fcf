using System.Net;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Addresses;

/// <summary>Where a relay is bound, and the address that its client gets.</summary>
[Requirement("NET-03")]
public sealed class RelayAddressTests
{
    /// <summary>As a wildcard brings them: loopback, two networks with both families, a container bridge.</summary>
    private static readonly ListeningAddress[] Machine =
    [
        Of("127.0.0.1", "lo"), Of("::1", "lo"),
        Of("192.0.2.1", "eth0"), Of("fd00::1", "eth0"), Of("2001:db8::1", "eth0"), Of("fe80::1", "eth0"),
        Of("10.0.0.1", "eth1"), Of("fd00:1::1", "eth1"),
        Of("172.17.0.1", "docker0"),
    ];

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", "2001:db8::1")]
    [InlineData("2001:db8::1", "192.0.2.1", "2001:db8::1")]
    [InlineData("fd00::1", "192.0.2.1", "fd00::1")]
    [InlineData("10.0.0.1", "10.0.0.1", "fd00:1::1")]
    [InlineData("fd00:1::1", "10.0.0.1", "fd00:1::1")]
    [InlineData("172.17.0.1", "172.17.0.1", "2001:db8::1")]
    [InlineData("127.0.0.1", "192.0.2.1", "2001:db8::1")]
    [InlineData("::1", "192.0.2.1", "2001:db8::1")]
    [InlineData("fe80::1", "192.0.2.1", "2001:db8::1")]
    [InlineData("203.0.113.99", "192.0.2.1", "2001:db8::1")]
    public void Wildcard_GivesTheAddressThatTheClientUsed_OrItsInterface(string used, string ipv4, string ipv6)
    {
        var relays = Listening.RelaysOf(new TurnSettings { ListenAddress = "0.0.0.0,::" }, Machine);

        Assert.Equal(ipv4, $"{relays.For(AddressFamily.InterNetwork, IPAddress.Parse(used))!.Bound}");
        Assert.Equal(ipv6, $"{relays.For(AddressFamily.InterNetworkV6, IPAddress.Parse(used))!.Bound}");
    }

    [Theory]
    [InlineData("127.0.0.1,192.0.2.1", "127.0.0.1", "127.0.0.1")]
    [InlineData("127.0.0.1,192.0.2.1", "192.0.2.1", "192.0.2.1")]
    [InlineData("127.0.0.1", "127.0.0.1", "127.0.0.1")]
    public void Loopback_IsGiven_WhereItIsNamed(string named, string used, string expected) => Assert.Equal(
        expected,
        $"{Listening.RelaysOf(new TurnSettings { ListenAddress = named }).For(AddressFamily.InterNetwork, IPAddress.Parse(used))!.Bound}");

    [Fact]
    public void Loopback_IsGiven_WhereNothingElseIs() => Assert.Equal(
        "127.0.0.1",
        $"{Listening.RelaysOf(new TurnSettings { ListenAddress = "0.0.0.0" }, Of("127.0.0.1", "lo"))
            .For(AddressFamily.InterNetwork, IPAddress.Loopback)!.Bound}");

    [Theory]
    [InlineData(null, "10.0.0.1", "10.0.0.1")]
    [InlineData("203.0.113.1", "10.0.0.1", "203.0.113.1")]
    [InlineData("203.0.113.1,2001:db8::99", "10.0.0.1", "203.0.113.1")]
    [InlineData("2001:db8::99", "10.0.0.1", "10.0.0.1")]
    [InlineData("203.0.113.1/10.0.0.1", "10.0.0.1", "203.0.113.1")]
    [InlineData("203.0.113.1/10.0.0.1", "192.0.2.1", "192.0.2.1")]
    [InlineData("203.0.113.1/10.0.0.1,203.0.113.2", "192.0.2.1", "203.0.113.2")]
    [InlineData("203.0.113.2,203.0.113.1/10.0.0.1", "10.0.0.1", "203.0.113.1")]
    [InlineData("unknown.example", "10.0.0.1", "10.0.0.1")]
    [Requirement("NET-02")]
    public void PublicAddress_IsThatOfTheLocalOne(string? publicAddress, string used, string expected)
    {
        var relays = Listening.RelaysOf(new TurnSettings { ListenAddress = "0.0.0.0,::", PublicAddress = publicAddress }, Machine);
        var relay = relays.For(AddressFamily.InterNetwork, IPAddress.Parse(used))!;

        Assert.Equal((used, expected), ($"{relay.Bound}", $"{relay.Advertised}"));
        Assert.Contains(relay.Bound, relays.All);
        Assert.Contains(relay.Advertised, relays.All);
    }

    [Theory]
    [InlineData("10.0.0.1", "192.0.2.1", "10.0.0.1", null)]
    [InlineData("192.0.2.1,10.0.0.1,2001:db8::1", "10.0.0.1", "10.0.0.1", "2001:db8::1")]
    public void RelayAddress_IsTakenInstead(string relayAddress, string used, string ipv4, string? ipv6)
    {
        var relays = Listening.RelaysOf(new TurnSettings { ListenAddress = "0.0.0.0,::", RelayAddress = relayAddress }, Machine);

        Assert.Equal(ipv4, $"{relays.For(AddressFamily.InterNetwork, IPAddress.Parse(used))?.Bound}");
        Assert.Equal(ipv6 ?? "", $"{relays.For(AddressFamily.InterNetworkV6, IPAddress.Parse(used))?.Bound}");
        Assert.Equal((true, ipv6 is not null), (relays.Has(AddressFamily.InterNetwork), relays.Has(AddressFamily.InterNetworkV6)));
    }

    private static ListeningAddress Of(string address, string network) => new(IPAddress.Parse(address), network, IsNamed: false);
}
