using Microsoft.EntityFrameworkCore;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Sessions that ended before their cookie expired. Only these are stored, and only until their cookie would have expired: other
/// sessions need no storage.
/// </summary>
internal sealed class EndedSessions(WwsfStore store, WwsfSettings settings, TimeProvider time)
{
    public Task<bool> ContainsAsync(string sid) => store.EndedSessions.AsNoTracking().AnyAsync(session => session.Sid == sid);

    public async Task AddAsync(string sid, DateTimeOffset? expires)
    {
        var now = time.GetUtcNow();
        var expiresAt = (expires ?? now + settings.MaxSessionLifetime).ToUnixTimeSeconds();
        var expired = now.ToUnixTimeSeconds() - 1;
        await store.EndedSessions.Where(session => session.ExpiresAt < expired).ExecuteDeleteAsync();
        // Two tabs may end the same session at the same moment.
        await store.Database.ExecuteSqlAsync(
            $"""INSERT INTO "EndedSessions" ("Sid", "ExpiresAt") VALUES ({sid}, {expiresAt}) ON CONFLICT DO NOTHING""");
    }
}
