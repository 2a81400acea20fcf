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

    public DbSet<StoredKey> Keys => Set<StoredKey>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        builder.UseOpenIddict();
        builder.Entity<InitialAccessToken>().HasKey(token => token.Hash);
        builder.Entity<AuditEntry>().ToTable("Audit").HasIndex(entry => entry.At);
        builder.Entity<StoredKey>(key =>
        {
            key.ToTable("Keys");
            // Two replicas that rotate at the same time cannot both add a key.
            key.HasKey(key => new { key.Ring, key.Number });
            key.HasIndex(key => key.Kid).IsUnique();
            key.Property(key => key.CurrentAt).IsConcurrencyToken();
            key.Property(key => key.RevokedAt).IsConcurrencyToken();
        });
    }
}
