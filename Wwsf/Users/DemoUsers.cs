using WebRtcIms.Stores;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// Two users to try the system, each with a subscription of the same name. Their passwords are public, so they exist only in the
/// environment Development.
/// </summary>
internal sealed class DemoUsers(IServiceScopeFactory scopes, WwsfSettings settings) : IHostedService
{
    public const string Alice = "alice";
    public const string AlicePassword = "alice-calls-bob";
    public const string Bob = "bob";
    public const string BobPassword = "bob-calls-alice";

    public static readonly string[] Names = [Alice, Bob];
    public static readonly string[] Passwords = [AlicePassword, BobPassword];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var _ = await settings.Store.LockAsync("demo-users", cancellationToken);
        await using var scope = scopes.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<User>>();
        await AddAsync(users, Alice, AlicePassword, "Alice");
        await AddAsync(users, Bob, BobPassword, "Bob");
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task AddAsync(UserManager<User> users, string name, string password, string displayName)
    {
        var user = await users.FindByNameAsync(name);
        if (user is null)
        {
            user = new User { UserName = name };
            Check(await users.CreateAsync(user, password));
        }

        if (Subscription.Of(await users.GetClaimsAsync(user)) is not null) return;
        var impi = $"{name}@{settings.HomeDomain}";
        Check(await users.AddClaimsAsync(user, new ImsIdentity(impi, $"sip:{impi}", displayName).ToClaims()));
    }

    private static void Check(IdentityResult result)
    {
        if (!result.Succeeded) throw new InvalidOperationException($"A demo user cannot be added: {result}");
    }
}
