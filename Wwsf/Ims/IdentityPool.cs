using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Scenario 3 (TS 33.203 X.4): the public user identities that this WWSF holds, leased to anonymous sessions. A session keeps its
/// identity while it uses it. Then the identity is in quarantine, so that a late call does not reach another guest.
/// </summary>
internal sealed partial class IdentityPool(ILeaseStore leases, WwsfSettings settings, ILogger<IdentityPool> logger)
{
    /// <summary>The identity of the session, newly leased if it has none; or the problem.</summary>
    /// <param name="sid">The session's pseudonym.</param>
    /// <param name="caller">The client address that <c>Wwsf:Pool:PerAddress</c> limits; null: no limit.</param>
    /// <param name="duration">How long the session keeps it at least; never shorter than <c>Wwsf:Pool:Lease</c>.</param>
    public async Task<(ImsIdentity? Identity, Problem? Problem)> LeaseAsync(string sid, string? caller, TimeSpan duration = default)
    {
        var pool = settings.Pool;
        try
        {
            // The lease includes the quarantine, because a lease that is not renewed also needs one.
            var lease = await leases.LeaseAsync(sid, caller, (duration > pool.Lease ? duration : pool.Lease) + pool.Quarantine);
            if (lease.Number is { } number) return (Identity(number), null);
            if (lease.IsCallerAtLimit) return (null, Problem.TooManyGuests(pool.Quarantine));
            LogExhausted(pool.Size);
            return (null, Problem.NoFreeIdentity(pool.Quarantine));
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
            return (null, Problem.LeasesUnavailable);
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

    /// <summary>Ends the lease. If the store does not answer, the lease expires later.</summary>
    public async Task ReleaseAsync(string sid, string? caller)
    {
        try
        {
            await leases.ReleaseAsync(sid, caller, settings.Pool.Quarantine);
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
        "All {Size} identities of the pool are leased or in quarantine, so a guest was refused. See Wwsf:Pool:Size.")]
    private partial void LogExhausted(int size);

    [LoggerMessage(2, LogLevel.Warning, "Redis does not answer ({Error}). Guests get no identity until it does.")]
    private partial void LogUnavailable(string error);
}
