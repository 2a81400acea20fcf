using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Wwsf.Users;

/// <summary>The database: users with their password hashes, and the sessions that were ended before their time.</summary>
internal sealed class WwsfStore(DbContextOptions<WwsfStore> options) : IdentityUserContext<User>(options)
{
    public DbSet<EndedSession> EndedSessions => Set<EndedSession>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.Entity<EndedSession>().HasKey(session => session.Sid);
    }
}

/// <summary>Someone who can log in.</summary>
internal sealed class User : IdentityUser;

/// <summary>A session that its owner ended. Kept until the cookie would have expired by itself (Unix time, seconds).</summary>
internal sealed class EndedSession
{
    public required string Sid { get; init; }

    public required long ExpiresAt { get; init; }
}
