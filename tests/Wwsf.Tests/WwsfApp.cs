using System.Net;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The WWSF in this process with a database of its own, a scripted WAF and eP-CSCF. Requests come from this machine.</summary>
internal sealed class WwsfApp : ServiceApp<WwsfApp, Program>
{
    public const string ClientSecret = "s3cret+of/the client";
    public const string PublicOrigin = "https://calls.example.com";

    private const int FewRounds = 2000;

    public WwsfApp(string environment = "Development", ScriptedWaf? waf = null, ScriptedEpCscf? epCscf = null)
    {
        With("environment", environment);
        With("Wwsf:Waf:ClientSecret", ClientSecret);
        With("Wwsf:PublicOrigin:0", PublicOrigin);
        With("Wwsf:EpCscf:SessionsKey", ScriptedEpCscf.Key);
        With("Wwsf:TurnUris:0", "turn:127.0.0.1:3478?transport=udp");
        With("Wwsf:TurnUris:1", "turns:turn.example.com");
        With("ConnectionStrings:wwsf", $"Data Source={DatabaseDirectory}/wwsf.db");
        if (waf is not null) With("services:waf:http:0", waf.Address);
        // Port 9 refuses connections.
        With("services:ep-cscf:http:0", epCscf?.Address ?? "http://127.0.0.1:9");
        RemoteAddress = IPAddress.Loopback;
        WithServices(services => services.PostConfigure<PasswordHasherOptions>(hasher =>
        {
            if (!HashesSlowly) hasher.IterationCount = FewRounds;
        }));
    }

    /// <summary>Whether passwords are hashed with as many rounds as in operation. Each hash then takes a tenth of a second.</summary>
    public bool HashesSlowly { get; init; }

    public string DatabaseDirectory => Path.Combine(Folder, "data");

    /// <summary>Uses the database, and so the cookie keys, of another instance: this one is a restart of it, or a second replica.</summary>
    public WwsfApp WithDatabaseOf(WwsfApp other) => With("ConnectionStrings:wwsf", $"Data Source={other.DatabaseDirectory}/wwsf.db");

    /// <summary>Uses a PostgreSQL database. The cookie keys are under the content root, so it is a temporary folder.</summary>
    public WwsfApp WithPostgres(string connectionString, WwsfApp? other = null) =>
        With("ConnectionStrings:wwsf", connectionString).With(WebHostDefaults.ContentRootKey, (other ?? this).Folder);

    /// <summary>The log records with this text; each begins with its level and category.</summary>
    public IEnumerable<string> LogsWith(string text) => Logs.Records.Where(record => record.Contains(text, StringComparison.Ordinal));

    /// <summary>Admits users of this provider.</summary>
    public WwsfApp With(OpenIdProvider provider) => With("Wwsf:OpenIdConnect:Authority", provider.Address)
        .With("Wwsf:OpenIdConnect:ClientId", OpenIdProvider.ClientId)
        .With("Wwsf:OpenIdConnect:ClientSecret", OpenIdProvider.ClientSecret);

    /// <summary>A browser that has loaded the page.</summary>
    public async Task<Page> OpenPageAsync(string origin = "http://localhost")
    {
        var page = new Page(CreateClient(new() { BaseAddress = new Uri(origin), HandleCookies = false, AllowAutoRedirect = false }));
        await page.LoadAsync();
        return page;
    }

    /// <summary>A browser that has loaded the page and continued as a guest.</summary>
    public async Task<Page> OpenPageAsGuestAsync()
    {
        var page = await OpenPageAsync();
        await page.ContinueAsGuestAsync();
        return page;
    }

    /// <summary>A browser whose user has logged in.</summary>
    public async Task<Page> OpenPageAsAliceAsync()
    {
        var page = await OpenPageAsync();
        Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
        return page;
    }

    /// <summary>Starts the service, also without a request.</summary>
    public async Task StartAsync() => await OpenPageAsync();

    public async Task<int> CountUsedValuesAsync()
    {
        await using var scope = Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WwsfStore>().UsedValues.CountAsync(TestContext.Current.CancellationToken);
    }

    public async Task AddUserAsync(string name, string password)
    {
        await using var scope = Services.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<User>>();
        var result = await users.CreateAsync(new User { UserName = name }, password);
        Assert.True(result.Succeeded, result.ToString());
    }

    public async Task ChangeUserAsync(string name, Func<UserManager<User>, User, Task<IdentityResult>> change)
    {
        await using var scope = Services.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<User>>();
        Assert.True((await change(users, (await users.FindByNameAsync(name))!)).Succeeded);
    }
}
