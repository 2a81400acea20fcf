using Microsoft.EntityFrameworkCore;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>A session of a user, for the list of the user's sessions.</summary>
internal readonly record struct OwnSession(string Sid, DateTimeOffset BeganAt, DateTimeOffset UsedAt);

/// <summary>A session that the WWSF ended because its user may no longer have it.</summary>
internal readonly record struct RemovedSession(string Sid, string UserId, string Reason);

/// <summary>
/// The table of sessions. A session of a user has a row from its begin, and is valid while user and row match. A guest's session has
/// a row only once it has ended, so that strangers cannot fill the table by beginning sessions.
/// </summary>
internal sealed class SessionRecords(WwsfStore store, WwsfSettings settings, SessionRevocations revocations, TimeProvider time)
{
    // The table does not need a write for each request.
    private static readonly TimeSpan UsePrecision = TimeSpan.FromMinutes(1);

    private long Now => time.GetUtcNow().ToUnixTimeSeconds();

    // After this time no token of an ended session is valid, so nothing is left to do for it.
    private long OldestPending => Now - (long)TokenLimits.LongestLifetime.TotalSeconds;

    public async Task AddAsync(WebSession session, User user)
    {
        var row = new SessionRow
        {
            Sid = session.Sid,
            UserId = user.Id,
            SecurityStamp = user.SecurityStamp,
            BeganAt = Now,
            UsedAt = Now,
            ExpiresAt = Now + (long)settings.MaxSessionLifetime.TotalSeconds,
        };
        store.Add(row);
        await store.SaveChangesAsync();
    }

    /// <summary>When the session was used last; null if it has ended, or if its user may no longer have it.</summary>
    public async Task<DateTimeOffset?> FindUseAsync(WebSession session)
    {
        var found = await store.Sessions.AsNoTracking().Where(row => row.Sid == session.Sid)
            .LeftJoin(store.Users, row => row.UserId, user => user.Id, (row, user) => new { Row = row, User = user })
            .SingleOrDefaultAsync();
        if (found is null) return session.User is null ? time.GetUtcNow() : null;
        if (found.Row.EndedAt is not null || session.User is null || found.User?.UserName != session.User) return null;
        return FindReason(found.Row, found.User) is null ? DateTimeOffset.FromUnixTimeSeconds(found.Row.UsedAt) : null;
    }

    /// <summary>When the user logged in; null for a guest.</summary>
    public async Task<DateTimeOffset?> FindBeginAsync(WebSession session) =>
        await store.Sessions.Where(row => row.Sid == session.Sid && row.UserId != null).Select(row => (long?)row.BeganAt)
            .SingleOrDefaultAsync() is { } began ? DateTimeOffset.FromUnixTimeSeconds(began) : null;

    /// <summary>Gives the session the new security stamp of its user. The caller stores it together with the user.</summary>
    public async Task KeepAsync(WebSession session, User user)
    {
        if (await store.Sessions.SingleOrDefaultAsync(row => row.Sid == session.Sid) is not { } row) return;
        store.Entry(row).Property(kept => kept.SecurityStamp).CurrentValue = user.SecurityStamp;
    }

    public async Task SetUsedAsync(WebSession session, DateTimeOffset lastUse)
    {
        if (session.User is null || time.GetUtcNow() - lastUse < UsePrecision) return;
        await store.Sessions.Where(row => row.Sid == session.Sid)
            .ExecuteUpdateAsync(update => update.SetProperty(row => row.UsedAt, Now));
    }

    public async Task<IReadOnlyList<OwnSession>> FindOthersAsync(WebSession session)
    {
        var rows = await store.Sessions.AsNoTracking()
            .Where(row => row.UserId == store.Sessions.Where(own => own.Sid == session.Sid).Select(own => own.UserId).FirstOrDefault())
            .Where(row => row.UserId != null && row.Sid != session.Sid && row.EndedAt == null && row.ExpiresAt > Now)
            .OrderByDescending(row => row.UsedAt)
            .ToListAsync();
        return [.. rows.Select(row => new OwnSession(
            row.Sid, DateTimeOffset.FromUnixTimeSeconds(row.BeganAt), DateTimeOffset.FromUnixTimeSeconds(row.UsedAt)))];
    }

    /// <summary>Marks the session as ended. False if it had ended before, such as from another tab at the same moment.</summary>
    public async Task<(bool HasEnded, string? UserId)> EndAsync(string sid, DateTimeOffset? expires)
    {
        var expiresAt = expires?.ToUnixTimeSeconds() ?? Now + (long)settings.MaxSessionLifetime.TotalSeconds;
        var rows = await store.Database.ExecuteSqlAsync($"""
            INSERT INTO "Sessions"
                ("Sid", "BeganAt", "UsedAt", "ExpiresAt", "EndedAt", "IsRevocationPending", "IsRegistrationPending")
            VALUES ({sid}, {Now}, {Now}, {expiresAt}, {Now}, {revocations.HasRedis}, {true})
            ON CONFLICT ("Sid") DO UPDATE SET
                "EndedAt" = excluded."EndedAt",
                "IsRevocationPending" = excluded."IsRevocationPending",
                "IsRegistrationPending" = excluded."IsRegistrationPending"
            WHERE "Sessions"."EndedAt" IS NULL
            """);
        if (rows == 0) return (false, null);
        return (true, await store.Sessions.Where(row => row.Sid == sid).Select(row => row.UserId).SingleOrDefaultAsync());
    }

    /// <summary>Marks the sessions as ended whose user was deleted, locked by an operator, or changed.</summary>
    public async Task<IReadOnlyList<RemovedSession>> EndRemovedAsync()
    {
        // SQLite cannot compare the end of a lock, and few users have one.
        var candidates = await store.Sessions.AsNoTracking().Where(row => row.UserId != null && row.EndedAt == null && row.ExpiresAt > Now)
            .LeftJoin(store.Users, row => row.UserId, user => user.Id, (row, user) => new { Row = row, User = user })
            .Where(found => found.User == null || found.User.LockoutEnd != null || found.User.SecurityStamp != found.Row.SecurityStamp)
            .ToListAsync();
        List<RemovedSession> removed = [];
        foreach (var found in candidates)
        {
            if (FindReason(found.Row, found.User) is not { } reason) continue;
            var (hasEnded, userId) = await EndAsync(found.Row.Sid, expires: null);
            if (hasEnded) removed.Add(new(found.Row.Sid, userId!, reason));
        }
        return removed;
    }

    /// <summary>Ended sessions of which Redis or the eP-CSCF does not know yet, in any order so that none waits for the others.</summary>
    public Task<List<SessionRow>> FindPendingAsync(int count) =>
        store.Sessions.AsNoTracking()
            .Where(row => (row.IsRevocationPending || row.IsRegistrationPending) && row.EndedAt > OldestPending)
            .OrderBy(_ => EF.Functions.Random()).Take(count).ToListAsync();

    /// <summary>Redis or the eP-CSCF has got the end of these sessions.</summary>
    public async Task CompleteAsync(IReadOnlyCollection<string> revoked, IReadOnlyCollection<string> unregistered)
    {
        if (revoked.Count > 0)
        {
            await store.Sessions.Where(row => revoked.Contains(row.Sid))
                .ExecuteUpdateAsync(update => update.SetProperty(row => row.IsRevocationPending, false));
        }
        if (unregistered.Count > 0)
        {
            await store.Sessions.Where(row => unregistered.Contains(row.Sid))
                .ExecuteUpdateAsync(update => update.SetProperty(row => row.IsRegistrationPending, false));
        }
    }

    /// <summary>Deletes rows whose cookie has expired and that are complete.</summary>
    public Task DeleteExpiredAsync() => store.Sessions
        .Where(row => row.ExpiresAt < Now
            && (!(row.IsRevocationPending || row.IsRegistrationPending) || row.EndedAt <= OldestPending))
        .ExecuteDeleteAsync();

    private string? FindReason(SessionRow row, User? user)
    {
        if (user is null) return EndReason.UserDeleted;
        if (user.IsLocked(time.GetUtcNow())) return EndReason.UserLocked;
        return user.SecurityStamp == row.SecurityStamp ? null : EndReason.UserChanged;
    }
}
