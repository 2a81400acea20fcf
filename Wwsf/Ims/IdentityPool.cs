using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Scenario 3 (TS 33.203 X.4): the public user identities that this WWSF holds, leased to anonymous sessions. A session keeps its
/// identity while it uses it. Then the identity is in quarantine, so that a late call does not reach another guest. An identity that was
/// never registered needs no quarantine.
/// </summary>
internal sealed partial class IdentityPool(ILeaseStore leases, WwsfSettings settings, ILogger<IdentityPool> logger)
{
    /// <summary>The identity of the session, newly leased if it has none; or the problem. Neither if no identity is free.</summary>
    /// <param name="sid">The session's pseudonym.</param>
    /// <param name="caller">The client address that <c>Wwsf:Pool:PerAddress</c> limits; null: no limit.</param>
    public async Task<(ImsIdentity? Identity, Problem? Problem)> LeaseAsync(string sid, string? caller)
    {
        var pool = settings.Pool;
        try
        {
            // The lease includes the quarantine, because a lease that is not renewed also needs one.
            var lease = await leases.LeaseAsync(sid, caller, pool.Lease + pool.Quarantine);
            if (lease.Number is { } number) return (Identity(number), null);
            if (lease.IsCallerAtLimit) return (null, Problem.TooManyGuests(pool.Quarantine));
            return (null, null);
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
            return (null, Problem.LeasesUnavailable);
        }
    }

    /// <summary>No identity is free.</summary>
    public Problem Refuse()
    {
        LogExhausted(settings.Pool.Size);
        return Problem.NoFreeIdentity(settings.Pool.Quarantine);
    }

    /// <summary>Extends the lease of the session to this time from now; or the problem. Another guest may have got the identity.</summary>
    public async Task<Problem?> ExtendAsync(string sid, TimeSpan duration)
    {
        try
        {
            return await leases.ExtendAsync(sid, duration + settings.Pool.Quarantine) ? null : Problem.SessionExpired;
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
            return Problem.LeasesUnavailable;
        }
    }

    /// <summary>Records whether the session is registered. If the store does not answer, the next review does it.</summary>
    public async Task SetRegisteredAsync(string sid, bool isRegistered)
    {
        try
        {
            await leases.SetRegisteredAsync(sid, isRegistered);
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
        }
    }

    /// <summary>The leases of sessions that are not known to be registered, the oldest first; none if the store does not answer.</summary>
    public async Task<IReadOnlyList<UnregisteredLease>> FindUnregisteredAsync(int count)
    {
        try
        {
            return await leases.FindUnregisteredAsync(count);
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
            return [];
        }
    }

    /// <summary>The identity of the session, if it has one and the store answers.</summary>
    public async Task<ImsIdentity?> FindAsync(string sid)
    {
        try
        {
            return await leases.FindAsync(sid) is { } number ? Identity(number) : null;
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
            return null;
        }
    }

    /// <summary>Ends the lease of a guest who did not register. The next guest may have the identity at once.</summary>
    public async Task ReclaimAsync(string sid)
    {
        try
        {
            await leases.ReclaimAsync(sid, settings.Pool.Quarantine);
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
        }
    }

    /// <summary>Ends the lease. If the store does not answer, the lease expires later.</summary>
    public async Task ReleaseAsync(string sid)
    {
        try
        {
            await leases.ReleaseAsync(sid, settings.Pool.Quarantine);
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
        }
    }

    private ImsIdentity Identity(int number)
    {
        var user = string.Create(CultureInfo.InvariantCulture, $"{settings.Pool.Name}-{number}@{settings.HomeDomain}");
        return new(user, $"sip:{user}", string.Create(CultureInfo.InvariantCulture, $"{settings.Pool.DisplayName} {number}"));
    }

    [LoggerMessage(1, LogLevel.Warning,
        "All {Size} identities of the pool are in use, or too many of them by guests who have not registered. So a guest was refused. "
        + "See Wwsf:Pool:Size.")]
    private partial void LogExhausted(int size);

    [LoggerMessage(2, LogLevel.Warning, "Redis does not answer ({Error}). Guests get no identity until it does.")]
    private partial void LogUnavailable(string error);
}
