using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// Outside Development: refuses to start on a store that has a user with a password of <see cref="DemoUsers"/>. The passwords are public.
/// </summary>
internal sealed class NoDemoUsers(IServiceScopeFactory scopes) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<User>>();
        foreach (var name in DemoUsers.Names)
        {
            if (await users.FindByNameAsync(name) is not { PasswordHash: { } hash } user || user.LockoutEnd == DateTimeOffset.MaxValue)
                continue;
            if (DemoUsers.Passwords.Any(password =>
                users.PasswordHasher.VerifyHashedPassword(user, hash, password) != PasswordVerificationResult.Failed))
            {
                throw new SettingsException(
                    $"ConnectionStrings:wwsf names a store in which the user '{name}' has the public password of the demo user. "
                    + "Use a store that was not used in Development, or change the password or delete the user.");
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
