using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// Authenticated Allocates that this node has accepted. The same octets from another 5-tuple are a replay; from the same
/// one they are a retransmission.
/// </summary>
internal sealed class ReplayCache
{
    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<(TokenName Token, TransactionId Transaction), (FiveTuple Flow, DateTimeOffset ExpiresAt)> _seen = [];
    private DateTimeOffset _purgeAt;

    public bool IsFirst(TokenName token, PendingAllocation pending, DateTimeOffset now)
    {
        lock (_gate)
        {
            Purge(now);
            var key = (token, pending.TransactionId);
            if (_seen.TryGetValue(key, out var entry) && now < entry.ExpiresAt) return entry.Flow == pending.FiveTuple;
            _seen[key] = (pending.FiveTuple, now + TimeSpan.FromSeconds(pending.Proof.Credential.RemainingSeconds(now)));
            return true;
        }
    }

    private void Purge(DateTimeOffset now)
    {
        if (now < _purgeAt) return;
        _purgeAt = now + PurgeInterval;
        foreach (var (key, entry) in _seen)
        {
            if (now >= entry.ExpiresAt) _seen.Remove(key);
        }
    }
}
