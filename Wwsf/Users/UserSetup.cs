using Microsoft.AspNetCore.Identity;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WebRtcIms.Wwsf.Users;

/// <summary>ASP.NET Core Identity over SQLite; makes the database when it is not there.</summary>
internal static class UserSetup
{
    public static void AddUsers(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        var services = builder.Services;
        services.AddDbContext<WwsfStore>(options => options.UseSqlite(settings.Store.ConnectionString));
        services.AddIdentityCore<User>(Configure).AddEntityFrameworkStores<WwsfStore>();
        services.AddScoped<PasswordCheck>();
        services.AddSingleton<UnknownUsers>();
        services.AddHostedService<StoreSetup>();
        if (builder.Environment.IsDevelopment()) services.AddHostedService<DemoUsers>();
        services.AddHealthChecks().AddCheck<StoreHealthCheck>("store");
    }

    private static void Configure(IdentityOptions identity)
    {
        // Length is what makes a password strong (NIST SP 800-63B 5.1.1.2), not a mixture of character classes.
        identity.Password = new PasswordOptions
        {
            RequiredLength = 12,
            RequireDigit = false,
            RequireLowercase = false,
            RequireUppercase = false,
            RequireNonAlphanumeric = false,
        };
        identity.Lockout = new LockoutOptions { MaxFailedAccessAttempts = 5, DefaultLockoutTimeSpan = TimeSpan.FromMinutes(5) };
        // With room for passkeys.
        identity.Stores.SchemaVersion = IdentitySchemaVersions.Version3;
    }
}

/// <summary>Makes the tables before the first request is taken.</summary>
internal sealed class StoreSetup(IServiceScopeFactory scopes) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        try
        {
            await scope.ServiceProvider.GetRequiredService<WwsfStore>().Database.EnsureCreatedAsync(cancellationToken);
        }
        catch (SqliteException error)
        {
            throw new SettingsException($"ConnectionStrings:wwsf: the database cannot be opened: {error.Message}");
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>Without the database nobody can log in and no session can be checked.</summary>
internal sealed class StoreHealthCheck(WwsfStore store) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        await store.Database.CanConnectAsync(cancellationToken)
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy("the database (ConnectionStrings:wwsf) cannot be opened");
}
