using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Wwsf.Stores;

/// <summary>
/// The database: users with their password hashes, sessions that ended before their cookie expired, and the registration at the WAF.
/// </summary>
internal sealed class WwsfStore(DbContextOptions<WwsfStore> options) : IdentityUserContext<User>(options)
{
    public DbSet<EndedSession> EndedSessions => Set<EndedSession>();

    public DbSet<WafClientRow> WafClients => Set<WafClientRow>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.Entity<EndedSession>().HasKey(session => session.Sid);
        builder.Entity<WafClientRow>().Property(row => row.Id).ValueGeneratedNever();
    }
}

internal sealed class User : IdentityUser;

/// <summary>An ended session. The row is kept until its cookie expires (Unix time, seconds).</summary>
internal sealed class EndedSession
{
    public required string Sid { get; init; }

    public required long ExpiresAt { get; init; }
}
