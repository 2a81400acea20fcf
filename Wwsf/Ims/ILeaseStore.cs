namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// The session that holds each number of the pool, from 1. A number has one holder at a time in all replicas, and is free again
/// when its lease expires. A lease begins as one without a registration.
/// </summary>
internal interface ILeaseStore
{
    /// <summary>Leases a free number to the session, or extends the lease that it has.</summary>
    /// <param name="sid">The session's pseudonym.</param>
    /// <param name="caller">The client address that the lease counts for; null: no limit.</param>
    /// <param name="duration">The session holds the number for this long from now at least.</param>
    Task<LeaseResult> LeaseAsync(string sid, string? caller, TimeSpan duration);

    /// <summary>Extends the lease of the session. False if it has none.</summary>
    Task<bool> ExtendAsync(string sid, TimeSpan duration);

    /// <summary>
    /// Records whether the session is registered. A lease without a registration keeps the time since when it has been one, and a lease
    /// that had one once needs a quarantine.
    /// </summary>
    Task SetRegisteredAsync(string sid, bool isRegistered);

    /// <summary>The leases without a registration, the oldest first.</summary>
    Task<IReadOnlyList<UnregisteredLease>> FindUnregisteredAsync(int count);

    /// <summary>The number that the session holds, if any.</summary>
    Task<int?> FindAsync(string sid);

    /// <summary>
    /// Ends the lease of the session. The number is not leased again before the quarantine is over. If the session is not known to have
    /// been registered, its lease stays among those without a registration, which may be reclaimed.
    /// </summary>
    Task ReleaseAsync(string sid, TimeSpan quarantine);

    /// <summary>As <see cref="ReleaseAsync"/>, but the number of a session that was never registered is free at once.</summary>
    Task ReclaimAsync(string sid, TimeSpan quarantine);

    /// <summary>The count of numbers that are leased or in quarantine.</summary>
    Task<int> CountTakenAsync();
}

/// <summary>
/// A number of the pool. Null if all are taken or too many are leased without a registration, or if the caller is at its limit.
/// </summary>
internal readonly record struct LeaseResult(int? Number, bool IsCallerAtLimit = false);

/// <summary>A lease of a session that is not known to be registered.</summary>
internal readonly record struct UnregisteredLease(string Sid, DateTimeOffset Since);

/// <summary>The order in which a store tries numbers.</summary>
internal static class LeaseOrder
{
    /// <summary>
    /// Each session starts at a number of its own, so that sessions do not compete for the same one. A session that returns after
    /// its lease gets its old number if that is still free.
    /// </summary>
    public static int Start(string sid, int size)
    {
        // FNV-1a: the same in every process, unlike string.GetHashCode.
        var hash = 2166136261u;
        foreach (var c in sid) hash = unchecked((hash ^ c) * 16777619u);
        return (int)(hash % (uint)size);
    }
}
