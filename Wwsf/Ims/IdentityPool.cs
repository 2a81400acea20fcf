using System.Globalization;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Scenario 3 (TS 33.203 X.4): the public user identities that this WWSF holds, leased to anonymous sessions. A session has the
/// same identity for as long as it lives and uses it. After it, nobody has it for the time of the quarantine: a late call must
/// not reach the next stranger.
/// </summary>
internal sealed partial class IdentityPool(ILeaseStore leases, WwsfSettings settings, ILogger<IdentityPool> logger)
{
    /// <summary>The session's identity, leased to it if it has none; or why there is none.</summary>
    /// <param name="sid">The session's pseudonym.</param>
    /// <param name="caller">The client address, of which one may have only <c>Wwsf:Pool:PerAddress</c> identities; null: no limit.</param>
    /// <param name="duration">How long it must stay the session's, at least; never shorter than the lease of the settings.</param>
    public async Task<(ImsIdentity? Identity, Problem? Problem)> LeaseAsync(string sid, string? caller, TimeSpan duration = default)
    {
        var pool = settings.Pool;
        try
        {
            // A lease that nobody renews goes into quarantine, too: that time is part of it.
            var taken = await leases.TakeAsync(sid, caller, (duration > pool.Lease ? duration : pool.Lease) + pool.Quarantine);
            if (taken.Number is { } number) return (Identity(number), null);
            if (taken.IsCallerAtLimit) return (null, Problem.TooManyGuests(pool.Quarantine));
            LogExhausted(pool.Size);
            return (null, Problem.NoFreeIdentity(pool.Quarantine));
        }
        catch (LeasesUnavailableException error)
        {
            LogUnavailable(error.InnerException!.GetType().Name);
            return (null, Problem.LeasesUnavailable);
        }
    }

    /// <summary>The session's identity, if it has one and the store answers.</summary>
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

    /// <summary>Ends the lease; where the store does not answer, the lease ends by itself.</summary>
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

    [LoggerMessage(1, LogLevel.Warning, "All {Size} identities of the pool are leased or in quarantine; a guest was sent away. See Wwsf:Pool:Size.")]
    private partial void LogExhausted(int size);

    [LoggerMessage(2, LogLevel.Warning, "Redis does not answer ({Error}); guests get no identity until it does.")]
    private partial void LogUnavailable(string error);
}
