using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Wwsf.Stores;

/// <summary>
/// The database: users with their password hashes, sessions, failed log-ins, values that were used, and the registration at the WAF.
/// </summary>
internal sealed class WwsfStore(DbContextOptions<WwsfStore> options) : IdentityUserContext<User>(options)
{
    public DbSet<SessionRow> Sessions => Set<SessionRow>();

    public DbSet<FailedLoginRow> FailedLogins => Set<FailedLoginRow>();

    public DbSet<FailedLoginKeyRow> FailedLoginKeys => Set<FailedLoginKeyRow>();

    public DbSet<UsedValue> UsedValues => Set<UsedValue>();

    public DbSet<WafClientRow> WafClients => Set<WafClientRow>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.Entity<UsedValue>().HasKey(used => used.Hash);
        builder.Entity<SessionRow>().HasKey(session => session.Sid);
        builder.Entity<SessionRow>().HasIndex(session => session.UserId);
        builder.Entity<FailedLoginRow>().Property(row => row.Id).ValueGeneratedNever();
        builder.Entity<FailedLoginKeyRow>().Property(row => row.Id).ValueGeneratedNever();
        builder.Entity<WafClientRow>().Property(row => row.Id).ValueGeneratedNever();
    }
}

internal sealed class User : IdentityUser
{
    /// <summary>Whether an operator locked the account. Wrong passwords never do.</summary>
    public bool IsLocked(DateTimeOffset now) => LockoutEnd > now;
}

/// <summary>A value that was used. The row is kept until the value expires (Unix time, seconds).</summary>
internal sealed class UsedValue
{
    public required string Hash { get; init; }

    public required long ExpiresAt { get; init; }
}
