using System.Globalization;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>coturn's client with a password, against the epoll back end.</summary>
public sealed class UclientOnEpollTests(TurnServers servers) : UclientRuns(servers)
{
    [Theory]
    [InlineData("")]
    [InlineData("-s")]
    [InlineData("-y -c")]
    [InlineData("-t")]
    [InlineData("-s -t")]
    [InlineData("-s -D")]
    [InlineData("-B")]
    [InlineData("-G -g")]
    [InlineData("-y -m 20")]
    [Requirement("RFC8656-5")]
    [Requirement("RFC8656-7.2-8")]
    [Requirement("TURN-B9")]
    public async Task WithAPassword_NothingIsLost(string options) =>
        await AssertNothingIsLostAsync("Epoll", ["-u", "u", "-w", "p", .. Split(options)]);

    [Fact]
    public async Task WithAnEphemeralUser_NothingIsLost() =>
        await AssertNothingIsLostAsync("Epoll", ["-u", "carol", "-W", CoturnKeys.SharedSecret]);
}

/// <summary>coturn's client with a password, against the io_uring back end (epoll where the kernel refuses it).</summary>
public sealed class UclientOnIoUringTests(TurnServers servers) : UclientRuns(servers)
{
    [Theory]
    [InlineData("")]
    [InlineData("-s")]
    [InlineData("-y -c")]
    [InlineData("-t")]
    [InlineData("-s -D")]
    [InlineData("-y -m 20")]
    [Requirement("RFC8656-5")]
    [Requirement("RFC8656-7.2-8")]
    public async Task WithAPassword_NothingIsLost(string options) =>
        await AssertNothingIsLostAsync("IoUring", ["-u", "u", "-w", "p", .. Split(options)]);
}

/// <summary>coturn's client with a password, against the portable back end.</summary>
public sealed class UclientOnPortableTests(TurnServers servers) : UclientRuns(servers)
{
    [Theory]
    [InlineData("")]
    [InlineData("-s")]
    [InlineData("-y -c")]
    [InlineData("-t")]
    [InlineData("-B")]
    [InlineData("-G -g")]
    [Requirement("RFC8656-5")]
    [Requirement("RFC8656-7.2-8")]
    [Requirement("TURN-B9")]
    public async Task WithAPassword_NothingIsLost(string options) =>
        await AssertNothingIsLostAsync("Portable", ["-u", "u", "-w", "p", .. Split(options)]);
}

/// <summary>coturn's client over IPv4 as it changes its port, and with a relay of IPv6 or one of each family.</summary>
public sealed class UclientMovesAndFamiliesTests(TurnServers servers) : UclientRuns(servers)
{
    [Theory]
    [InlineData("Epoll", "-M")]
    [InlineData("Epoll", "-M -t")]
    [InlineData("Epoll", "-x -e ::1")]
    [InlineData("Epoll", "-Z -e ::1")]
    [InlineData("Portable", "-M")]
    [InlineData("Portable", "-x -e ::1")]
    [InlineData("Portable", "-Z -e ::1")]
    [Requirement("TURN-B12")]
    [Requirement("TURN-B14")]
    [Requirement("TURN-D3")]
    public async Task WithAPassword_NothingIsLost(string transport, string options) =>
        await AssertNothingIsLostAsync(transport, ["-u", "u", "-w", "p", .. Split(options)]);
}

/// <summary>coturn's client with tokens, another kid for each request (RFC 7635).</summary>
public sealed class UclientWithTokensTests(TurnServers servers) : UclientRuns(servers)
{
    private readonly TurnServers _servers = servers;

    [Theory]
    [InlineData("Epoll", "-s")]
    [InlineData("Epoll", "-s -t")]
    [InlineData("Epoll", "-s -y -c")]
    [InlineData("Epoll", "-s -m 10")]
    [InlineData("Epoll", "-y -c")]
    [InlineData("Epoll", "-M")]
    [InlineData("Epoll", "-s -M")]
    [InlineData("IoUring", "-s")]
    [InlineData("IoUring", "-y -c")]
    [InlineData("Portable", "-s")]
    [InlineData("Portable", "-s -t")]
    [InlineData("Portable", "-s -y -c")]
    [Requirement("RFC7635-7")]
    [Requirement("RFC7635-9")]
    [Requirement("TURN-D3")]
    public async Task WithTokens_NothingIsLost(string transport, string options)
    {
        var library = await FullHmacKeyAsync();

        await AssertNothingIsLostAsync(transport, ["-J", .. Split(options)], ("LD_PRELOAD", library));
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task WithSixteenOctetsOfTheKey_CoturnsClientIsRefused()
    {
        var server = await _servers.WithAsync("Portable");
        var result = await UclientAsync(server, ["-J", "-s"]);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("Cannot complete Allocation", result.Output, StringComparison.Ordinal);
        Assert.False(server.HasExited);
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("RFC8489-12")]
    public async Task Binding_GivesTheClientsAddress(string transport)
    {
        var server = await _servers.WithAsync(transport);
        var result = await Command.RunAsync(
            Tools.Require("turnutils_stunclient", "coturn"), ["-p", server.Port.ToString(CultureInfo.InvariantCulture), "127.0.0.1"]);

        Assert.Contains("UDP reflexive addr: 127.0.0.1:", result.Output, StringComparison.Ordinal);
    }
}
