using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// Deletions of the last 40 seconds. A retransmission gets the same success response again (RFC 8489 §6.3.1), although the allocation that
/// would say so is gone.
/// </summary>
internal sealed class RecentDeletions
{
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(40);

    private readonly Dictionary<FiveTuple, Deletion> _byFlow = [];

    public void Add(in FiveTuple flow, TransactionId transaction, Credential credential, EngineTime time) =>
        _byFlow[flow] = new Deletion(transaction, credential, time.After(Memory));

    /// <summary>The credential of the request that this one repeats; null if it repeats none.</summary>
    public Credential? Find(in FiveTuple flow, TransactionId transaction, EngineTime time) =>
        _byFlow.TryGetValue(flow, out var deletion) && deletion.TransactionId == transaction && time.Milliseconds < deletion.ForgottenAt
            ? deletion.Credential
            : null;

    public void Sweep(long now)
    {
        foreach (var (flow, deletion) in _byFlow)
        {
            if (now >= deletion.ForgottenAt) _byFlow.Remove(flow);
        }
    }

    private sealed record Deletion(TransactionId TransactionId, Credential Credential, long ForgottenAt);
}
