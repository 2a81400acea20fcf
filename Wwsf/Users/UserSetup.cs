using WebRtcIms.Stores;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>ASP.NET Core Identity on the store.</summary>
internal static class UserSetup
{
    // PBKDF2 with HMAC-SHA-512: what OWASP's cheat sheet for password storage advises. A log-in replaces a hash with fewer rounds.
    private const int Rounds = 210_000;

    public static void AddUsers(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        var services = builder.Services;
        // The folder of the SQLite file. With PostgreSQL and a folder for keys elsewhere, the service writes nothing beside itself.
        if (!settings.Store.IsPostgres) settings.Store.CreateDirectory();
        builder.AddStore<WwsfStore>(settings.Store);
        services.AddIdentityCore<User>(Configure).AddEntityFrameworkStores<WwsfStore>();
        services.AddScoped<PasswordRule>();
        services.Configure<PasswordHasherOptions>(hasher => hasher.IterationCount = Rounds);
        services.AddScoped<PasswordCheck>();
        services.AddScoped<PasswordChange>();
        services.AddScoped<SingleUse>();
        services.AddScoped<FailedLogins>();
        services.AddSingleton<KnownBrowsers>();
        services.AddSingleton<HashingLimit>();
        services.AddSingleton<Placeholder>();
        services.AddSingleton<FailedLoginKey>();
        services.AddHostedService<StoreSetup>();
        services.AddHostedService(provider => provider.GetRequiredService<FailedLoginKey>());
        if (builder.Environment.IsDevelopment()) services.AddHostedService<DemoUsers>();
        else services.AddHostedService<NoDemoUsers>();
    }

    private static void Configure(IdentityOptions identity)
    {
        // NIST SP 800-63B 5.1.1.2: require length, not a mixture of character classes.
        identity.Password = new PasswordOptions
        {
            RequiredLength = 12,
            RequireDigit = false,
            RequireLowercase = false,
            RequireUppercase = false,
            RequireNonAlphanumeric = false,
        };
        // Version 3 has a table for passkeys.
        identity.Stores.SchemaVersion = IdentitySchemaVersions.Version3;
    }
}
