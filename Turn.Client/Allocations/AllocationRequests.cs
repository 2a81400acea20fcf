using WebRtcIms.Turn.Client.Authentication;

namespace WebRtcIms.Turn.Client.Allocations;

/// <summary>The attributes of the requests of an allocation, without those of its credential.</summary>
internal static class AllocationRequests
{
    /// <summary>Refresh (RFC 8656 §8.1); without a lifetime the server chooses; zero deletes.</summary>
    public static RequestBody Refresh(TimeSpan? lifetime) => (ref StunMessageWriter request) =>
    {
        if (lifetime is { } wanted) request.WriteUInt32(StunAttributeType.Lifetime, (uint)wanted.TotalSeconds);
    };

    /// <summary>CreatePermission for all these addresses or none (RFC 8656 §10.1). The port is ignored.</summary>
    public static RequestBody CreatePermission(InternetAddress[] peers) => (ref StunMessageWriter request) =>
    {
        foreach (var peer in peers) request.WriteXorAddress(StunAttributeType.XorPeerAddress, new TransportAddress(peer, 0));
    };

    /// <summary>ChannelBind (RFC 8656 §12.1): the number, then two octets of zero (§18.1).</summary>
    public static RequestBody ChannelBind(ushort channel, TransportAddress peer) => (ref StunMessageWriter request) =>
    {
        request.WriteUInt32(StunAttributeType.ChannelNumber, (uint)channel << 16);
        request.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
    };
}
