using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>The result of a change of password, if the current one was right.</summary>
internal enum PasswordChangeOutcome
{
    Changed,

    /// <summary>The new password is too short or too easy to guess.</summary>
    Weak,

    /// <summary>Too many passwords are hashed at the moment, or the account changed at the same time.</summary>
    Busy,
}

/// <summary>Replaces a password. The security stamp changes with it, so all sessions of the user end that do not get the new stamp.</summary>
internal sealed class PasswordChange(UserManager<User> users, PasswordRule guessable, HashingLimit limit)
{
    private const int StampBytes = 20;

    /// <param name="user">The user, whose current password was checked.</param>
    /// <param name="password">The new password.</param>
    /// <param name="keepAsync">Gives the new stamp to the session that stays. It is stored together with the user.</param>
    /// <param name="cancellationToken">The end of the request.</param>
    public async Task<PasswordChangeOutcome> ChangeAsync(
        User user, string password, Func<User, Task> keepAsync, CancellationToken cancellationToken)
    {
        using var permission = await limit.AcquireAsync(isKnownBrowser: true, cancellationToken);
        if (permission is null) return PasswordChangeOutcome.Busy;
        foreach (var rule in users.PasswordValidators.Append(guessable))
        {
            if (!(await rule.ValidateAsync(users, user, password)).Succeeded) return PasswordChangeOutcome.Weak;
        }

        user.PasswordHash = users.PasswordHasher.HashPassword(user, password);
        user.SecurityStamp = Convert.ToHexString(RandomNumberGenerator.GetBytes(StampBytes));
        await keepAsync(user);
        return (await users.UpdateAsync(user)).Succeeded ? PasswordChangeOutcome.Changed : PasswordChangeOutcome.Busy;
    }
}
