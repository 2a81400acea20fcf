using System.Diagnostics;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Caching;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Authorization;

/// <summary>Whether an Allocate may go on, its place in the quotas, and the span that it runs under.</summary>
internal readonly record struct Admission(StunError Error, AllocationQuotas.Lease? Lease, Activity? Activity);

/// <summary>
/// Decides about an authenticated Allocate by what is known beyond the packet: replays, revocations, live allocations here
/// and in the fleet. Waits for the shared caches no longer than their budget.
/// </summary>
internal sealed class AllocationAdmission(
    AllocationQuotas quotas, ReplayCache replays, TokenCache? tokens, TurnSettings settings, TimeProvider clock)
{
    private static readonly ActivitySource Source = ServiceTelemetry.Source("Turn");

    public async ValueTask<Admission> AdmitAsync(PendingAllocation pending)
    {
        var started = clock.GetUtcNow();
        if (pending.Proof.Credential.Token is not { } token) return Admit(pending, null, started);

        // RFC 7635 lets a token make several allocations, so the cache remembers requests, not tokens.
        if (!replays.IsFirst(token, pending, started)) return Refuse(StunError.Unauthenticated, null, StartSpan(pending, null, started));
        if (tokens is null) return Admit(pending, token, started);

        var answer = await tokens.RegisterAsync(token, pending).ConfigureAwait(false);
        var activity = StartSpan(pending, answer, started);
        if (!answer.IsAvailable && settings.OnCacheUnavailable == CacheUnavailablePolicy.Deny) return Refuse(StunError.InsufficientCapacity, null, activity);
        if (answer.IsReplay || answer.IsRevoked)
        {
            tokens.Withdraw(token, answer);
            return Refuse(StunError.Unauthenticated, null, activity);
        }

        var lease = quotas.TryTake(pending.FiveTuple.Client.Address, token);
        if (lease is not null && answer.IsCounted) lease.OnReturned = () => tokens.Withdraw(token, answer);
        if (lease is null) tokens.Withdraw(token, answer);
        var isWithinFleetQuota = answer.LiveAllocations <= settings.Quotas.PerToken && answer.ClientAddresses <= settings.Quotas.AddressesPerToken;
        if (lease is null || !isWithinFleetQuota) return Refuse(StunError.AllocationQuotaReached, lease, activity);
        if (answer.Grant?.Pseudonym is { } user && !lease.TryTakeFor(user)) return Refuse(StunError.AllocationQuotaReached, lease, activity);
        return new Admission(StunError.None, lease, activity);
    }

    private Admission Admit(PendingAllocation pending, TokenName? token, DateTimeOffset started)
    {
        var lease = quotas.TryTake(pending.FiveTuple.Client.Address, token);
        var activity = StartSpan(pending, null, started);
        return lease is null ? Refuse(StunError.AllocationQuotaReached, null, activity) : new Admission(StunError.None, lease, activity);
    }

    private static Admission Refuse(StunError error, AllocationQuotas.Lease? lease, Activity? activity)
    {
        lease?.Dispose();
        return new Admission(error, null, activity);
    }

    /// <summary>
    /// The span of step 8. TURN carries no trace context, so the parent comes with the grant that the authorization server
    /// left in the shared cache, and the span is made once that has been read, with the time at which the work began.
    /// </summary>
    private static Activity? StartSpan(PendingAllocation pending, TokenAnswer? answer, DateTimeOffset started)
    {
        _ = ActivityContext.TryParse(answer?.Grant?.Traceparent, null, isRemote: true, out var parent);
        var activity = Source.StartActivity("turn allocate", ActivityKind.Server, parent, startTime: started);
        activity?.SetTag(ServiceTelemetry.ImsStep, 8);
        activity?.SetTag("turn.kid", pending.Proof.Credential.Token?.KeyId);
        activity?.SetTag("network.transport", pending.FiveTuple.IsStream ? "tcp" : "udp");
        activity?.SetTag("turn.lifetime", pending.LifetimeSeconds);
        answer?.Record(activity);
        return activity;
    }
}
