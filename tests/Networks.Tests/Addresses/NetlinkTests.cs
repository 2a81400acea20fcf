using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>The kernel tells when an address comes, may be used, and goes. Without this the server would find out seconds later.</summary>
[Requirement("NET-06")]
public sealed class NetlinkTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("20.77.0.1/24")]
    [InlineData("2a77::1/64")]
    public async Task AddressThatComesAndGoes_IsNotified(string address)
    {
        var (network, server, _) = await TestNetwork.WithClientAsync();
        await using var end = network;
        using var changes = server.Run(NetlinkChanges.TryOpen);
        Assert.NotNull(changes);
        await AssertNotifiesAsync(changes, () => server.RemoveAddressAsync(address, "eth0"));
        await AssertNotifiesAsync(changes, () => server.AddAddressAsync(address, "eth0"));
        await AssertNotifiesAsync(changes, () => server.IpAsync("link", "set", "eth0", "down"));
    }

    private static async Task AssertNotifiesAsync(NetlinkChanges changes, Func<Task> change)
    {
        var notified = changes.WaitAsync(TestContext.Current.CancellationToken);
        await change();
        await notified.WaitAsync(Limit, TestContext.Current.CancellationToken);
    }
}
