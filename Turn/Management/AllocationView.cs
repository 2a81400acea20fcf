using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Management;

/// <summary>
/// An allocation as operators see it. It has no secret and no user name. Client addresses are hashes, so that two can be told apart.
/// </summary>
internal sealed record AllocationView(
    string Id, string? Kid, string? User, string Client, string Transport, IReadOnlyList<string> Relayed, long LifetimeSeconds,
    DateTimeOffset Since,
    int Permissions, int Channels, long PacketsToPeers, long BytesToPeers, long PacketsToClient, long BytesToClient, long Drops)
{
    public static AllocationView Of(Allocation allocation, AllocationRecord record, EngineTime now) => new(
        record.Id,
        record.Token?.KeyId,
        record.Grant?.Pseudonym is { } user ? TokenCache.Hash(user) : null,
        TokenCache.Hash(allocation.FiveTuple.Client.Address.ToString()),
        allocation.FiveTuple.Transport.ToString().ToLowerInvariant(),
        [.. new[] { allocation.IPv4, allocation.IPv6 }.OfType<Relay>().Select(relay => relay.Advertised.ToString())],
        Math.Max(0, (allocation.ExpiresAt - now.Milliseconds) / 1000),
        record.Since,
        allocation.PermissionCount,
        allocation.ChannelCount,
        allocation.Totals.PacketsToPeers,
        allocation.Totals.BytesToPeers,
        allocation.Totals.PacketsToClient,
        allocation.Totals.BytesToClient,
        Enum.GetValues<DropReason>().Sum(allocation.Totals.Drops));
}
