using System.Security.Cryptography;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>Datagrams between two allocations, each the other's peer.</summary>
internal static class Echo
{
    /// <summary>Empty, not a multiple of four, and as much as media packets have.</summary>
    private static readonly int[] Lengths = [0, 1, 3, 4, 160, 1200];

    // A datagram that is lost on the loopback address fails the test.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static async Task ThroughAsync(TurnAllocation alice, TurnAllocation bob, bool inChannels, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        cancel = limit.Token;
        await AdmitAsync(alice, bob, inChannels, cancel);
        await AdmitAsync(bob, alice, inChannels, cancel);
        foreach (var length in Lengths)
        {
            var sent = RandomNumberGenerator.GetBytes(length);
            await alice.SendAsync(sent, bob.RelayedAddress, cancel);
            var there = await bob.Received.ReadAsync(cancel);
            Assert.Equal(alice.RelayedAddress, there.Peer);
            Assert.Equal(sent, there.Data.ToArray());

            await bob.SendAsync(there.Data, there.Peer, cancel);
            var back = await alice.Received.ReadAsync(cancel);
            Assert.Equal(bob.RelayedAddress, back.Peer);
            Assert.Equal(sent, back.Data.ToArray());
        }
    }

    private static Task AdmitAsync(TurnAllocation allocation, TurnAllocation peer, bool inChannel, CancellationToken cancel) => inChannel
        ? allocation.BindChannelAsync(peer.RelayedAddress, cancel)
        : allocation.CreatePermissionAsync(peer.RelayedAddress.Address, cancel);
}
