using System.Buffers.Binary;
using Microsoft.EntityFrameworkCore;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>A log-in with a password, as far as the counters of failures need it.</summary>
/// <param name="Name">The normalized name, of an existing user or not.</param>
/// <param name="Caller">See <see cref="CallerAddress"/>.</param>
/// <param name="Browser">The id of a browser in which this name has logged in before; null for any other.</param>
internal readonly record struct LoginAttempt(string Name, string Caller, string? Browser);

/// <summary>
/// Counts failed log-ins in the store, in the same way for names that exist and for names that do not. A right password resets nothing:
/// a guesser could otherwise observe it. All counters expire.
/// <list type="bullet">
/// <item>A name from one address, or in one known browser, has five failures in five minutes.</item>
/// <item>After 20 failures of a name from all addresses, unknown browsers have one attempt in ten seconds together. So strangers slow down
/// a name but do not lock it, and the browsers of its user are not affected.</item>
/// </list>
/// A counter has a number of 20 bits, so the table is bounded. The HMAC keeps strangers from finding two callers with one number.
/// </summary>
internal sealed class FailedLogins(WwsfStore store, FailedLoginKey key, TimeProvider time)
{
    public const int MaxFailures = 5;
    public const int MaxFailuresOfName = 20;
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(5);
    public static readonly TimeSpan MemoryOfName = TimeSpan.FromMinutes(15);
    public static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    private const int NumberBits = 20;

    private enum Kind
    {
        Address,
        Browser,
        Name,
    }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>How long the next attempt has to wait; null if it need not.</summary>
    public async Task<TimeSpan?> FindWaitAsync(LoginAttempt attempt)
    {
        var now = Now;
        var (own, ofName) = (NumberOf(attempt), NumberOf(Kind.Name, attempt.Name, ""));
        var rows = await store.FailedLogins.AsNoTracking()
            .Where(row => (row.Id == own || row.Id == ofName) && row.ExpiresAt > now).ToListAsync();
        if (rows.Find(row => row.Id == own) is { Failures: >= MaxFailures } locked) return Until(locked.ExpiresAt, now);
        if (attempt.Browser is not null || rows.Find(row => row.Id == ofName) is not { Failures: >= MaxFailuresOfName } slow) return null;
        return slow.NextAt > now ? Until(slow.NextAt, now) : null;
    }

    /// <summary>
    /// Begins an attempt that need not wait. Null if it may go on; else how long it has to wait, because another attempt was faster.
    /// </summary>
    public async Task<TimeSpan?> BeginAsync(LoginAttempt attempt)
    {
        if (await FindWaitAsync(attempt) is { } wait) return wait;
        if (attempt.Browser is not null) return null;
        var now = Now;
        var next = now + (long)Turn.TotalMilliseconds;
        var ofName = NumberOf(Kind.Name, attempt.Name, "");
        var isSlow = await store.FailedLogins
            .AnyAsync(row => row.Id == ofName && row.Failures >= MaxFailuresOfName && row.ExpiresAt > now);
        if (!isSlow) return null;
        var taken = await store.FailedLogins.Where(row => row.Id == ofName && row.NextAt <= now)
            .ExecuteUpdateAsync(update => update.SetProperty(row => row.NextAt, next));
        return taken > 0 ? null : Turn;
    }

    public async Task AddAsync(LoginAttempt attempt)
    {
        await AddAsync(NumberOf(attempt), Memory);
        if (attempt.Browser is null) await AddAsync(NumberOf(Kind.Name, attempt.Name, ""), MemoryOfName);
    }

    public Task DeleteExpiredAsync()
    {
        var now = Now;
        return store.FailedLogins.Where(row => row.ExpiresAt <= now).ExecuteDeleteAsync();
    }

    private static TimeSpan Until(long end, long now) => TimeSpan.FromMilliseconds(end - now);

    private Task<int> AddAsync(int number, TimeSpan memory)
    {
        var now = Now;
        var expires = now + (long)memory.TotalMilliseconds;
        return store.Database.ExecuteSqlAsync($"""
            INSERT INTO "FailedLogins" ("Id", "Failures", "ExpiresAt", "NextAt") VALUES ({number}, 1, {expires}, 0)
            ON CONFLICT ("Id") DO UPDATE SET
                "Failures" = CASE WHEN "FailedLogins"."ExpiresAt" > {now} THEN "FailedLogins"."Failures" + 1 ELSE 1 END,
                "ExpiresAt" = excluded."ExpiresAt"
            """);
    }

    private int NumberOf(LoginAttempt attempt) => attempt.Browser is { } browser
        ? NumberOf(Kind.Browser, attempt.Name, browser)
        : NumberOf(Kind.Address, attempt.Name, attempt.Caller);

    // A name has no line break after normalization, or it does not exist; the part before it has none in any case.
    private int NumberOf(Kind kind, string name, string part) =>
        ((int)kind << NumberBits)
        | (BinaryPrimitives.ReadInt32BigEndian(key.Hash($"{part}\n{name}")) & ((1 << NumberBits) - 1));
}
