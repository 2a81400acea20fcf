using System.Diagnostics;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Admission;

/// <summary>Whether an Allocate may go on, its place in the quotas, and the span that it runs under.</summary>
internal readonly record struct AdmissionResult(StunError Error, AllocationQuotas.Lease? Lease, Activity? Activity)
{
    public Grant? Grant { get; init; }

    /// <summary>The server that the client should use instead (300).</summary>
    public TransportAddress? AlternateServer { get; init; }
}

/// <summary>
/// Decides about an authenticated Allocate by what is known beyond the packet: replays, revocations, live allocations here
/// and in the fleet. Waits for the shared caches no longer than their budget.
/// </summary>
internal sealed class AllocationAdmission(
    AllocationQuotas quotas, ReplayCache replays, Revocations revocations, Drain drain, TurnMetrics metrics, TurnSettings settings,
    TimeProvider time, TokenCache? tokens = null)
{
    public async ValueTask<AdmissionResult> AdmitAsync(PendingAllocation pending)
    {
        var started = time.GetUtcNow();
        if (drain.IsDraining) return Redirect(pending, started);
        if (pending.Proof.Credential.Token is not { } token) return Admit(pending, null, started);

        // RFC 7635 lets a token make several allocations, so the cache remembers requests, not tokens.
        var isFirst = replays.IsFirst(token, pending, started);
        metrics.CountLookup(Cache.NodeReplay, isHit: !isFirst);
        if (tokens is null)
        {
            return isFirst ? Admit(pending, token, started)
                : Refuse(StunError.Unauthenticated, "replay", null, AllocationSpans.StartAllocate(pending, null, started));
        }

        // A replay also reads the grant: its span belongs to the trace of the token.
        var answer = await tokens.RegisterAsync(token, pending).ConfigureAwait(false);
        Count(answer);
        var activity = AllocationSpans.StartAllocate(pending, answer.Grant?.Traceparent, started);
        answer.Record(activity);
        var isReplay = !isFirst || answer.IsReplay;
        if (isReplay || IsRevoked(pending.Proof.Credential, answer))
        {
            tokens.Withdraw(token, answer);
            return Refuse(StunError.Unauthenticated, isReplay ? "replay" : "revoked", null, activity);
        }
        if (!answer.IsAvailable && settings.OnCacheUnavailable == CacheUnavailablePolicy.Deny)
            return Refuse(StunError.InsufficientCapacity, "caches_unavailable", null, activity);

        var lease = quotas.TryTake(pending.FiveTuple.Client.Address, token);
        if (lease is not null && answer.IsCounted) lease.OnReturned = () => tokens.Withdraw(token, answer);
        if (lease is null) tokens.Withdraw(token, answer);
        if (lease is null || !IsWithinFleetQuota(answer)) return Refuse(StunError.AllocationQuotaReached, "quota", lease, activity);
        if (answer.Grant?.Pseudonym is { } user && !lease.TryTakeFor(user))
            return Refuse(StunError.AllocationQuotaReached, "quota", lease, activity);
        return new AdmissionResult(StunError.None, lease, activity) { Grant = answer.Grant };
    }

    /// <summary>
    /// Checks in Redis a Refresh with another token, which was answered from this node's copy of the revocations. False when the
    /// allocation must end.
    /// </summary>
    public async Task<(bool MayGoOn, TokenAnswer? Answer)> CheckRenewalAsync(Credential credential)
    {
        if (tokens is null) return (true, null);
        var answer = await tokens.ReadAsync(credential.Token!).ConfigureAwait(false);
        return (!IsRevoked(credential, answer), answer);
    }

    private bool IsRevoked(Credential credential, TokenAnswer answer)
    {
        var isRevoked = answer.IsRevoked || revocations.Cover(credential, time.GetUtcNow(), answer.Grant);
        metrics.CountLookup(Cache.Revocation, isRevoked);
        return isRevoked;
    }

    private bool IsWithinFleetQuota(TokenAnswer answer)
    {
        if (answer.LiveAllocations > settings.Quotas.PerToken) quotas.CountRefusal(Quota.TokenInFleet);
        else if (answer.ClientAddresses > settings.Quotas.AddressesPerToken) quotas.CountRefusal(Quota.AddressesOfToken);
        else return true;
        return false;
    }

    private void Count(TokenAnswer answer)
    {
        if (!answer.IsAvailable) return;
        metrics.CountLookup(Cache.FleetReplay, answer.IsReplay);
        metrics.CountLookup(Cache.Lifetime, answer.IsKnown);
        metrics.CountLookup(Cache.Grant, answer.Grant is not null);
    }

    private AdmissionResult Redirect(PendingAllocation pending, DateTimeOffset started)
    {
        var alternate = drain.AlternateFor(pending.FiveTuple);
        var error = alternate is null ? StunError.InsufficientCapacity : StunError.TryAlternate;
        return Refuse(error, "draining", null, AllocationSpans.StartAllocate(pending, null, started)) with { AlternateServer = alternate };
    }

    private AdmissionResult Admit(PendingAllocation pending, TokenName? token, DateTimeOffset started)
    {
        var activity = AllocationSpans.StartAllocate(pending, null, started);
        var lease = quotas.TryTake(pending.FiveTuple.Client.Address, token);
        return lease is null
            ? Refuse(StunError.AllocationQuotaReached, "quota", null, activity) : new AdmissionResult(StunError.None, lease, activity);
    }

    // The reason is for the span. The client gets only the code.
    private static AdmissionResult Refuse(StunError error, string reason, AllocationQuotas.Lease? lease, Activity? activity)
    {
        activity?.SetTag("error.type", reason);
        lease?.Dispose();
        return new AdmissionResult(error, null, activity);
    }
}
