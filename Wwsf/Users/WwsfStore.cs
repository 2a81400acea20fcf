using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Wwsf.Users;

/// <summary>The database: users with their password hashes, and sessions that ended before their cookie expired.</summary>
internal sealed class WwsfStore(DbContextOptions<WwsfStore> options) : IdentityUserContext<User>(options)
{
    public DbSet<EndedSession> EndedSessions => Set<EndedSession>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.Entity<EndedSession>().HasKey(session => session.Sid);
    }
}

internal sealed class User : IdentityUser;

/// <summary>An ended session. The row is kept until its cookie expires (Unix time, seconds).</summary>
internal sealed class EndedSession
{
    public required string Sid { get; init; }

    public required long ExpiresAt { get; init; }
}
