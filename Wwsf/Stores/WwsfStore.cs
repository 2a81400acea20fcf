using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Wwsf.Stores;

/// <summary>
/// The database: users with their password hashes, sessions that ended before their cookie expired, values that may be used once, and the
/// registration at the WAF.
/// </summary>
internal sealed class WwsfStore(DbContextOptions<WwsfStore> options) : IdentityUserContext<User>(options)
{
    public DbSet<EndedSession> EndedSessions => Set<EndedSession>();

    public DbSet<UsedValue> UsedValues => Set<UsedValue>();

    public DbSet<WafClientRow> WafClients => Set<WafClientRow>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.Entity<EndedSession>().HasKey(session => session.Sid);
        builder.Entity<UsedValue>().HasKey(used => used.Hash);
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

/// <summary>A value that was used. The row is kept until the value expires (Unix time, seconds).</summary>
internal sealed class UsedValue
{
    public required string Hash { get; init; }

    public required long ExpiresAt { get; init; }
}
