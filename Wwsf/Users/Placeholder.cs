using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>A hash to verify where there is none, so that a name without a password takes as long as any other.</summary>
internal sealed class Placeholder
{
    private readonly User _user = new();
    private string? _hash;

    public PasswordVerificationResult Verify(IPasswordHasher<User> hasher, User? user, string password)
    {
        // Also if the user has a hash: else the first name without one after a start would take longer.
        _hash ??= hasher.HashPassword(_user, Guid.NewGuid().ToString());
        if (user?.PasswordHash is { } hash) return hasher.VerifyHashedPassword(user, hash, password);
        _ = hasher.VerifyHashedPassword(_user, _hash, password);
        return PasswordVerificationResult.Failed;
    }
}
