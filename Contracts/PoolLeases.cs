using StackExchange.Redis;

namespace WebRtcIms.Contracts;

/// <summary>
/// Leases of a pool of identities in Redis. The WWSF leases them to guests. When Redis has lost its data, the eP-CSCF saves those of
/// registered guests again, else the WWSF would give their identities to others. The braces in the keys keep a pool on one node of a
/// cluster.
/// </summary>
public static class PoolLeases
{
    // Only if the identity has no lease now.
    private const string RestoreScript = """
        if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[3]) then return 0 end
        redis.call('HSET', KEYS[2], 'number', ARGV[2], 'caller', '', 'registered', 1)
        redis.call('PEXPIRE', KEYS[2], ARGV[3])
        return 1
        """;

    /// <summary>How all keys of a pool begin. <c>ims:lease:{guest}:7</c> has the session that holds number 7.</summary>
    public static string Prefix(string pool) => $"ims:lease:{{{pool}}}:";

    /// <summary>What is known about a session, which is named by its pseudonym.</summary>
    public static string OfSession(string pool, string sid) => $"{Prefix(pool)}session:{sid}";

    /// <summary>
    /// Saves the lease of a registered guest again, unless the identity has one. Its client address is not known any more.
    /// </summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public static Task RestoreAsync(IDatabase redis, string pool, int number, string sid, TimeSpan lifetime) =>
        redis.ScriptEvaluateAsync(
            RestoreScript, [FormattableString.Invariant($"{Prefix(pool)}{number}"), OfSession(pool, sid)],
            [sid, number, (long)lifetime.TotalMilliseconds]);
}
