using Microsoft.AspNetCore.Identity;

namespace WebRtcIms.Wwsf.Users;

/// <summary>Two users to try the system with. Added in the environment Development only: their passwords are public.</summary>
internal sealed class DemoUsers(IServiceScopeFactory scopes) : IHostedService
{
    public const string Alice = "alice";
    public const string AlicePassword = "alice-calls-bob";
    public const string Bob = "bob";
    public const string BobPassword = "bob-calls-alice";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<User>>();
        await AddAsync(users, Alice, AlicePassword);
        await AddAsync(users, Bob, BobPassword);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static async Task AddAsync(UserManager<User> users, string name, string password)
    {
        if (await users.FindByNameAsync(name) is not null) return;
        var result = await users.CreateAsync(new User { UserName = name }, password);
        if (!result.Succeeded) throw new InvalidOperationException($"A demo user cannot be added: {result}");
    }
}
