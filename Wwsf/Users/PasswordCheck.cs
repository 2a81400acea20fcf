using Microsoft.AspNetCore.Identity;

namespace WebRtcIms.Wwsf.Users;

/// <summary>Who the password was right for, or for how long the name is locked; neither when it was wrong.</summary>
internal readonly record struct PasswordResult(User? User, TimeSpan? LockedFor);

/// <summary>
/// Checks a password. A name that nobody has is treated like one that somebody has: the same work, the same answers and the
/// same lockout after the same number of tries, so that nobody can find out who exists.
/// </summary>
internal sealed class PasswordCheck(UserManager<User> users, WwsfStore store, UnknownUsers unknown, TimeProvider time)
{
    // Longer than the work takes: the failure of a real user is written to the database, which would show.
    private static readonly TimeSpan FailureTime = TimeSpan.FromMilliseconds(200);

    public async Task<PasswordResult> CheckAsync(string name, string password)
    {
        var failureTime = Task.Delay(FailureTime, time);
        var result = await LookUpAsync(name, password);
        if (result.User is null) await failureTime;
        return result;
    }

    private async Task<PasswordResult> LookUpAsync(string name, string password)
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

    // Guesses made at the same moment overwrite each other's count; each is counted, and none ends in an error.
    private async Task CountFailureAsync(User user)
    {
        for (var tries = 0; tries < 10 && !await users.IsLockedOutAsync(user); tries++)
        {
            if ((await users.AccessFailedAsync(user)).Succeeded) return;
            await store.Entry(user).ReloadAsync();
        }
    }
}
