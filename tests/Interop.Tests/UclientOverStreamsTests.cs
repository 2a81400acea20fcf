using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>coturn's client over TLS (-t -S) and DTLS (-S), and with TCP allocations (-T), with a password and with tokens.</summary>
public sealed class UclientOverStreamsTests(TurnServers servers) : UclientRuns(servers)
{
    [Theory]
    [InlineData("-t -S")]
    [InlineData("-s -t -S")]
    [InlineData("-S")]
    [InlineData("-s -S")]
    [Requirement("RFC8656-5")]
    [Requirement("TURN-B1")]
    public async Task WithAPassword_NothingIsLost(string options) =>
        await AssertNothingIsLostAsync("Epoll", ["-u", "u", "-w", "p", .. Split(options)]);

    [Theory]
    [InlineData("Epoll", "-T")]
    [InlineData("Epoll", "-T -S")]
    [InlineData("Portable", "-T")]
    [Requirement("RFC6062-5.2")]
    [Requirement("RFC6062-5.4")]
    public async Task WithTcpAllocations_NothingIsLost(string transport, string options) =>
        await AssertNothingIsLostAsync(transport, ["-u", "u", "-w", "p", .. Split(options)]);

    [Theory]
    [InlineData("-s -t -S")]
    [InlineData("-T")]
    [Requirement("RFC7635-7")]
    [Requirement("RFC7635-9")]
    public async Task WithTokens_NothingIsLost(string options)
    {
        var library = await FullHmacKeyAsync();

        await AssertNothingIsLostAsync("Epoll", ["-J", .. Split(options)], ("LD_PRELOAD", library));
    }
}
