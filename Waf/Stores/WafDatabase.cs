using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Waf.Stores;

/// <summary>
/// The database of the WAF. OpenIddict's tables have the clients, with hashes of their secrets. Times are Unix time in seconds, which
/// SQLite and PostgreSQL compare alike.
/// </summary>
internal sealed class WafDatabase(DbContextOptions<WafDatabase> options) : DbContext(options)
{
    public DbSet<InitialAccessToken> InitialAccessTokens => Set<InitialAccessToken>();

    public DbSet<AuditEntry> Audit => Set<AuditEntry>();

    public DbSet<TurnKey> TurnKeys => Set<TurnKey>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        builder.UseOpenIddict();
        builder.Entity<InitialAccessToken>().HasKey(token => token.Hash);
        builder.Entity<AuditEntry>().ToTable("Audit").HasIndex(entry => entry.At);
        builder.Entity<TurnKey>(key =>
        {
            key.HasKey(key => new { key.Server, key.Kid });
            // Two replicas that rotate at one time cannot both begin a key.
            key.HasIndex(key => new { key.Server, key.Number }).IsUnique();
            key.Property(key => key.State).HasConversion<string>().IsConcurrencyToken();
        });
    }
}
