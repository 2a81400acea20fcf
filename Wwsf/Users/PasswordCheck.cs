using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>The user if the password is right, or how long the name stays locked; neither if the password is wrong.</summary>
internal readonly record struct PasswordResult(User? User, TimeSpan? LockedFor);

/// <summary>
/// Checks a password. Unknown names are treated like existing ones: the same work, the same responses, and the same lockout after
/// the same number of attempts. So an attacker cannot find out which users exist.
/// </summary>
internal sealed class PasswordCheck(UserManager<User> users, WwsfStore store, UnknownUsers unknown, TimeProvider time)
{
    // Longer than the work takes. Only the failure of an existing user is written to the database, which takes measurable time.
    private static readonly TimeSpan FailureTime = TimeSpan.FromMilliseconds(200);

    public async Task<PasswordResult> CheckAsync(string name, string password)
    {
        var failureTime = Task.Delay(FailureTime, time);
        var result = await CheckNowAsync(name, password);
        if (result.User is null) await failureTime;
        return result;
    }

    private async Task<PasswordResult> CheckNowAsync(string name, string password)
    {
        if (await users.FindByNameAsync(name) is not { } user) return unknown.Check(users.NormalizeName(name), password);
        if (await users.IsLockedOutAsync(user)) return new(null, user.LockoutEnd - time.GetUtcNow());

        if (!await users.CheckPasswordAsync(user, password))
        {
            await CountFailureAsync(user);
            return default;
        }

        if (user.AccessFailedCount > 0) await users.ResetAccessFailedCountAsync(user);
        return new(user, null);
    }

    // Concurrent failures overwrite the count of each other, so retry until this one is counted.
    private async Task CountFailureAsync(User user)
    {
        for (var tries = 0; tries < 10 && !await users.IsLockedOutAsync(user); tries++)
        {
            if ((await users.AccessFailedAsync(user)).Succeeded) return;
            await store.Entry(user).ReloadAsync();
        }
    }
}
