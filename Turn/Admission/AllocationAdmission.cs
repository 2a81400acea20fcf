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

    /// <summary>Redis did not answer, so that there may be a grant.</summary>
    public bool IsGrantUnknown { get; init; }

    /// <summary>What the allocation may relay; null for the limits of this server.</summary>
    public TrafficLimits? Traffic { get; init; }

    /// <summary>Why it was refused, as in the span; null if it was not.</summary>
    public string? Reason { get; init; }

    /// <summary>The server that the client should use instead (300).</summary>
    public TransportAddress? AlternateServer { get; init; }
}

/// <summary>
/// Decides about an authenticated Allocate by what is known beyond the packet: replays, revocations, live allocations here
/// and in the fleet. Waits for the shared caches no longer than their budget.
/// </summary>
/// <summary>Whether a Refresh with another token may renew an allocation.</summary>
/// <param name="Error">None, or why not.</param>
/// <param name="Answer">What the fleet knows about the token; null without Redis.</param>
internal readonly record struct RenewalResult(StunError Error, TokenAnswer? Answer = null);

internal sealed class AllocationAdmission(
    AllocationQuotas quotas, ReplayCache replays, Revocations revocations, Drain drain, TurnMetrics metrics, TurnSettings settings,
    TimeProvider time, TokenCache? tokens = null)
{
    public async ValueTask<AdmissionResult> AdmitAsync(PendingAllocation pending)
    {
        var started = time.GetUtcNow();
        if (drain.IsDraining) return Redirect(pending, started);
        if (pending.Proof.Credential.Token is not { } token) return Admit(pending, started);

        if (!quotas.TryCount(token, pending.FiveTuple.Client.Address, started))
        {
            return Refuse(StunError.AllocationQuotaReached, "quota", null, AllocationSpans.StartAllocate(pending, null, started));
        }

        // RFC 7635 lets a token make several allocations, so the cache remembers requests, not tokens.
        var isFirst = replays.IsFirst(token, pending, started);
        metrics.CountLookup(Cache.NodeReplay, isHit: !isFirst);
        if (tokens is null)
        {
            return isFirst ? Admit(pending, started)
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
            return Refuse(StunError.Unauthenticated, isReplay ? "replay" : "revoked", answer.Grant, activity);
        }
        if (!answer.IsAvailable && settings.OnCacheUnavailable == CacheUnavailablePolicy.Deny)
            return Refuse(StunError.InsufficientCapacity, "caches_unavailable", answer.Grant, activity);

        // The fleet comes first: what it refuses adds no address to the token here.
        var lease = IsWithinFleetQuota(answer) ? quotas.TryTake(Claim(pending, answer.Grant)) : null;
        if (lease is null) tokens.Withdraw(token, answer);
        if (lease is null) return Refuse(StunError.AllocationQuotaReached, "quota", answer.Grant, activity);
        if (answer.IsCounted) lease.OnReturned = () => tokens.Withdraw(token, answer);
        return new AdmissionResult(StunError.None, lease, activity)
        {
            Grant = answer.Grant,
            IsGrantUnknown = !answer.IsAvailable,
            Traffic = TrafficOf(answer.Grant),
        };
    }

    /// <summary>
    /// Whether another token may renew an allocation. It must not be revoked. Where both grants name a session, it must be the same: a
    /// valid token alone does not make its holder the allocation's user.
    /// </summary>
    /// <param name="credential">The other token.</param>
    /// <param name="grant">The allocation's grant, if known.</param>
    public async ValueTask<RenewalResult> CheckRenewalAsync(Credential credential, Grant? grant)
    {
        if (tokens is null) return new(IsRevoked(credential, grant) ? StunError.Unauthenticated : StunError.None);
        var answer = await tokens.ReadAsync(credential.Token!).ConfigureAwait(false);
        var isRevoked = answer.IsRevoked || IsRevoked(credential, answer.Grant ?? grant);
        metrics.CountLookup(Cache.Revocation, isRevoked);
        if (isRevoked) return new(StunError.Unauthenticated, answer);
        var isStranger = answer.Grant?.Pseudonym is { } session && grant?.Pseudonym is { } owner && session != owner;
        return new(isStranger ? StunError.WrongCredentials : StunError.None, answer);
    }

    /// <summary>Asks again for a grant that Redis did not answer about. Null while it does not answer.</summary>
    public async ValueTask<TokenAnswer?> ReadGrantAsync(TokenName token)
    {
        var answer = tokens is null ? null : await tokens.ReadAsync(token).ConfigureAwait(false);
        return answer is { IsAvailable: true } ? answer : null;
    }

    /// <summary>Whether this node knows a revocation of the token, of its client or of its session.</summary>
    public bool IsRevoked(Credential credential, Grant? grant) => revocations.Cover(credential, time.GetUtcNow(), grant);

    /// <summary>What an allocation under this grant may relay; null for the limits of this server.</summary>
    public TrafficLimits? TrafficOf(Grant? grant)
    {
        if (grant is null) return settings.Quotas.WithoutGrant.ToLimits();
        return grant.Traffic is { } granted ? new TrafficLimits(granted.PacketsPerSecond, granted.BytesPerSecond) : null;
    }

    private bool IsRevoked(Credential credential, TokenAnswer answer)
    {
        var isRevoked = answer.IsRevoked || IsRevoked(credential, answer.Grant);
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

    private AdmissionResult Admit(PendingAllocation pending, DateTimeOffset started)
    {
        var activity = AllocationSpans.StartAllocate(pending, null, started);
        if (quotas.TryTake(Claim(pending, grant: null)) is not { } lease)
            return Refuse(StunError.AllocationQuotaReached, "quota", null, activity);
        var hasToken = pending.Proof.Credential.Token is not null;
        return new AdmissionResult(StunError.None, lease, activity) { Traffic = hasToken ? TrafficOf(grant: null) : null };
    }

    private AllocationClaim Claim(PendingAllocation pending, Grant? grant)
    {
        var (credential, now) = (pending.Proof.Credential, time.GetUtcNow());
        var user = grant?.Pseudonym is { } session ? $"session:{session}" : credential.User;
        return new AllocationClaim(
            pending.FiveTuple.Client.Address, user, credential.Token, now, now.AddSeconds(credential.RemainingSeconds(now)));
    }

    // The reason is for the span and the log. The client gets only the code.
    private static AdmissionResult Refuse(StunError error, string reason, Grant? grant, Activity? activity)
    {
        activity?.SetTag("error.type", reason);
        return new AdmissionResult(error, null, activity) { Grant = grant, Reason = reason };
    }
}
