namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Which session holds which number of the pool, from 1. A number has one holder at a time, in all replicas; whatever is taken
/// comes back by itself when its time is over.
/// </summary>
internal interface ILeaseStore
{
    /// <summary>The number that the session holds, for this long from now at least; a free one if it holds none.</summary>
    /// <param name="sid">The session's pseudonym.</param>
    /// <param name="caller">Where it comes from; null: from where there is no limit.</param>
    /// <param name="duration">From now.</param>
    Task<Taken> TakeAsync(string sid, string? caller, TimeSpan duration);

    /// <summary>The number that the session holds.</summary>
    Task<int?> FindAsync(string sid);

    /// <summary>Takes the number from the session, and keeps it from others for the time of the quarantine.</summary>
    Task ReleaseAsync(string sid, string? caller, TimeSpan quarantine);

    /// <summary>How many numbers nobody can have at the moment, leased or in quarantine.</summary>
    Task<int> CountTakenAsync();
}

/// <summary>A number of the pool; without one, either all are taken or as many as one caller may have.</summary>
internal readonly record struct Taken(int? Number, bool IsCallerAtLimit = false);

/// <summary>The order in which numbers are tried.</summary>
internal static class LeaseOrder
{
    /// <summary>
    /// Each session begins at a place of its own, so that sessions do not fight for the same number, and one that comes back
    /// after its lease is over gets the number that it had, if it is still free.
    /// </summary>
    public static int Start(string sid, int size)
    {
        // FNV-1a: the same in every process, unlike string.GetHashCode.
        var hash = 2166136261u;
        foreach (var c in sid) hash = unchecked((hash ^ c) * 16777619u);
        return (int)(hash % (uint)size);
    }
}
