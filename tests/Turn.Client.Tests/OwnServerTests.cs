using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Servers;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>The client against this project's server: every credential, both transports, data both ways.</summary>
public sealed class OwnServerTests(OwnServer server)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    [Requirement("RFC8489-12")]
    public async Task Binding_TellsTheAddressOfTheClient(string transport)
    {
        await using var client = await ConnectAsync(transport);
        var mapped = await client.GetMappedAddressAsync(Cancel);
        Assert.Equal(IPAddress.Loopback, mapped.Address);
        Assert.NotEqual(0, mapped.Port);
    }

    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    [Requirement("RFC7065-3.1")]
    public async Task IPv6Server_IsReached(string transport)
    {
        Assert.SkipUnless(OwnServer.HasIPv6, "This machine has no IPv6");
        var uri = TurnUri.Parse($"turn:[::1]:{server.Udp.Port}?transport={transport}");
        await using var client = await TurnClient.ConnectAsync(uri, cancellationToken: Cancel);
        Assert.Equal(IPAddress.IPv6Loopback, (await client.GetMappedAddressAsync(Cancel)).Address);
    }

    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    [Requirement("RFC8489-9.2")]
    public async Task Password_Allocates(string transport)
    {
        await using var client = await ConnectAsync(transport);
        await using var allocation =
            await client.AllocateAsync(TurnCredential.LongTerm(OwnServer.User, OwnServer.Password), cancellationToken: Cancel);
        Assert.Equal(IPAddress.Loopback, allocation.RelayedAddress.Address);
        Assert.Equal(TimeSpan.FromSeconds(600), allocation.Lifetime);
    }

    [Theory]
    [InlineData("udp", 20)]
    [InlineData("udp", 32)]
    [InlineData("tcp", 20)]
    [InlineData("tcp", 32)]
    [Requirement("RFC7635-7")]
    public async Task NativeToken_AllocatesForAsLongAsItLives(string transport, int macKeyLength)
    {
        await using var client = await ConnectAsync(transport);
        var token = server.IssueToken(macKeyLength: macKeyLength, lifetimeSeconds: 120);
        await using var allocation = await client.AllocateAsync(token.Native, cancellationToken: Cancel);
        Assert.InRange(allocation.Lifetime, TimeSpan.FromSeconds(100), TimeSpan.FromSeconds(120));
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public async Task BrowserToken_AllocatesForAsLongAsItLives()
    {
        await using var client = await ConnectAsync("udp");
        await using var allocation = await client.AllocateAsync(server.IssueToken(lifetimeSeconds: 120).Browser, cancellationToken: Cancel);
        Assert.InRange(allocation.Lifetime, TimeSpan.FromSeconds(100), TimeSpan.FromSeconds(120));
    }

    [Theory]
    [InlineData("udp", "udp", true)]
    [InlineData("udp", "udp", false)]
    [InlineData("tcp", "tcp", true)]
    [InlineData("tcp", "tcp", false)]
    [InlineData("tcp", "udp", true)]
    [Requirement("RFC8656-11")]
    [Requirement("RFC8656-12")]
    public async Task TwoAllocations_ExchangeDatagrams(string first, string second, bool inChannels)
    {
        await using var a = await ConnectAsync(first);
        await using var b = await ConnectAsync(second);
        await using var alice = await a.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel);
        await using var bob = await b.AllocateAsync(server.IssueToken(macKeyLength: 20).Native, cancellationToken: Cancel);
        await Echo.ThroughAsync(alice, bob, inChannels, Cancel);
    }

    [Fact]
    [Requirement("RFC8656-7.1")]
    public async Task IPv6Relays_ExchangeDatagrams()
    {
        Assert.SkipUnless(OwnServer.HasIPv6, "This machine has no IPv6");
        var options = new TurnAllocationOptions { AddressFamily = AddressFamily.InterNetworkV6 };
        await using var a = await ConnectAsync("udp");
        await using var b = await ConnectAsync("tcp");
        await using var alice = await a.AllocateAsync(server.IssueToken().Native, options, Cancel);
        await using var bob = await b.AllocateAsync(server.IssueToken().Native, options, Cancel);
        Assert.Equal(IPAddress.IPv6Loopback, alice.RelayedAddress.Address);
        await Echo.ThroughAsync(alice, bob, inChannels: false, Cancel);
        await Echo.ThroughAsync(alice, bob, inChannels: true, Cancel);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public async Task Renewal_ReplacesTokenAndKeyId()
    {
        await using var client = await ConnectAsync("udp");
        await using var allocation =
            await client.AllocateAsync(server.IssueToken(key: 0, lifetimeSeconds: 60).Native, cancellationToken: Cancel);
        Assert.True(allocation.Lifetime <= TimeSpan.FromSeconds(60));

        var granted = await allocation.RenewAsync(server.IssueToken(key: 1, macKeyLength: 20).Native, Cancel);

        Assert.InRange(granted, TimeSpan.FromSeconds(590), TimeSpan.FromSeconds(600));
        Assert.Equal(granted, allocation.Lifetime);

        // The server knows only the new session key now, and this request is signed with it.
        await allocation.CreatePermissionAsync(IPAddress.Loopback, Cancel);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public async Task RefusedRenewal_LeavesTheOldTokenInUse()
    {
        await using var client = await ConnectAsync("udp");
        await using var allocation = await client.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel);
        var unknown = Tokens.Issue("k9", new byte[32], new byte[32], lifetimeSeconds: 600);

        var error = await Assert.ThrowsAsync<TurnException>(() => allocation.RenewAsync(unknown.Native, Cancel));

        Assert.Equal(StunError.Unauthenticated, error.Code);
        await allocation.CreatePermissionAsync(IPAddress.Loopback, Cancel);
    }

    [Fact]
    [Requirement("RFC8489-9.2.5")]
    public async Task WrongPassword_IsRefusedOnce()
    {
        await using var client = await ConnectAsync("udp");
        var error = await Assert.ThrowsAsync<TurnException>(
            () => client.AllocateAsync(TurnCredential.LongTerm(OwnServer.User, "guessed"), cancellationToken: Cancel));
        Assert.Equal(StunError.Unauthenticated, error.Code);
        Assert.NotEmpty(error.Reason);
    }

    [Fact]
    [Requirement("RFC8656-9")]
    public async Task ForbiddenPeer_Is403_AndTheAllocationGoesOn()
    {
        await using var client = await ConnectAsync("udp");
        await using var allocation = await client.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel);
        var error = await Assert.ThrowsAsync<TurnException>(() => allocation.CreatePermissionAsync(IPAddress.Parse("10.0.0.1"), Cancel));
        Assert.Equal(StunError.Forbidden, error.Code);
        await allocation.CreatePermissionAsync(IPAddress.Loopback, Cancel);
    }

    [Fact]
    [Requirement("RFC8656-8")]
    public async Task DisposedAllocation_LeavesThePathFreeForAnother()
    {
        await using var client = await ConnectAsync("udp");
        var first = await client.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel);
        await first.DisposeAsync();
        Assert.True(first.Received.Completion.IsCompletedSuccessfully);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => first.CreatePermissionAsync(IPAddress.Loopback, Cancel));

        await using var second = await client.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel);
        Assert.NotEqual(first.RelayedAddress, second.RelayedAddress);
    }

    [Fact]
    [Requirement("RFC8656-7.2-2")]
    public async Task SecondAllocationOnOnePath_IsRefused()
    {
        await using var client = await ConnectAsync("udp");
        await using var allocation = await client.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel);
        var error = await Assert.ThrowsAsync<TurnException>(() =>
            client.AllocateAsync(server.IssueToken().Native, cancellationToken: Cancel));
        Assert.Equal(StunError.AllocationMismatch, error.Code);
    }

    private Task<TurnClient> ConnectAsync(string transport) =>
        TurnClient.ConnectAsync(transport == "udp" ? server.Udp : server.Tcp, cancellationToken: Cancel);
}
