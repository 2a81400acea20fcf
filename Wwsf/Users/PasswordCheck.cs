using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>The result of a password check. Each result but <see cref="Accepted"/> may be for a user that does not exist.</summary>
internal enum PasswordOutcome
{
    /// <summary>Wrong password, unknown name, or an account that an operator locked.</summary>
    Refused,

    Accepted,

    /// <summary>After several failures the name has to wait.</summary>
    Waiting,

    /// <summary>Too many passwords are checked at the moment.</summary>
    Busy,
}

/// <param name="Outcome">The result.</param>
/// <param name="User">The user; if the outcome is not <see cref="PasswordOutcome.Accepted"/>, only for the log.</param>
/// <param name="RetryAfter">How long to wait.</param>
internal readonly record struct PasswordResult(PasswordOutcome Outcome, User? User = null, TimeSpan RetryAfter = default);

/// <summary>
/// Checks a password. A name that does not exist, and an account that an operator locked, get the responses of a wrong password: after the
/// same work and the same time, with the same counters. So an attacker cannot find out which users exist.
/// </summary>
internal sealed class PasswordCheck(
    UserManager<User> users, FailedLogins failures, KnownBrowsers browsers, HashingLimit limit, Placeholder placeholder, TimeProvider time)
{
    // Longer than the work takes on an idle machine, so that its small differences cannot be measured.
    private static readonly TimeSpan FailureTime = TimeSpan.FromMilliseconds(200);

    public async Task<PasswordResult> CheckAsync(HttpContext context, string name, string password)
    {
        var failureTime = Task.Delay(FailureTime, time);
        var normalized = users.NormalizeName(name);
        var attempt = new LoginAttempt(normalized, CallerAddress.Of(context), browsers.Find(context, normalized));
        var result = await CheckAsync(attempt, name, password, context.RequestAborted);
        if (result.Outcome != PasswordOutcome.Accepted) await failureTime;
        return result;
    }

    private async Task<PasswordResult> CheckAsync(
        LoginAttempt attempt, string name, string password, CancellationToken cancellationToken)
    {
        if (await failures.FindWaitAsync(attempt) is { } wait) return new(PasswordOutcome.Waiting, RetryAfter: wait);
        using var permission = await limit.AcquireAsync(attempt.Browser is not null, cancellationToken);
        if (permission is null) return new(PasswordOutcome.Busy);
        // Others may have failed meanwhile. Attempts at the same moment exceed the limit only by as many as may hash at once.
        if (await failures.BeginAsync(attempt) is { } turn) return new(PasswordOutcome.Waiting, RetryAfter: turn);

        var user = await users.FindByNameAsync(name);
        var verified = placeholder.Verify(users.PasswordHasher, user, password);
        if (user is null || verified == PasswordVerificationResult.Failed || user.IsLocked(time.GetUtcNow()))
        {
            await failures.AddAsync(attempt);
            return new(PasswordOutcome.Refused, user);
        }

        if (verified == PasswordVerificationResult.SuccessRehashNeeded) await RehashAsync(user, password);
        return new(PasswordOutcome.Accepted, user);
    }

    // Not by UserManager.CheckPasswordAsync, which would also change the security stamp and so end the other sessions of the user.
    private async Task RehashAsync(User user, string password)
    {
        user.PasswordHash = users.PasswordHasher.HashPassword(user, password);
        await users.UpdateAsync(user);
    }
}
