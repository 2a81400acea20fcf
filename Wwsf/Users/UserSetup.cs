using Microsoft.AspNetCore.Identity;
using WebRtcIms.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>ASP.NET Core Identity on the store; makes the tables when they are not there.</summary>
internal static class UserSetup
{
    public static void AddUsers(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        var services = builder.Services;
        builder.AddStore<WwsfStore>(settings.Store);
        services.AddIdentityCore<User>(Configure).AddEntityFrameworkStores<WwsfStore>();
        services.AddScoped<PasswordCheck>();
        services.AddSingleton<UnknownUsers>();
        services.AddHostedService<StoreSetup>();
        if (builder.Environment.IsDevelopment()) services.AddHostedService<DemoUsers>();
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
internal sealed class StoreSetup(IServiceScopeFactory scopes, WwsfSettings settings) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<WwsfStore>().CreateTablesAsync(settings.Store, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
