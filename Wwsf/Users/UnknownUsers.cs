using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// Checks passwords of names that do not exist: does the same work and locks them like existing ones. Its memory is limited and
/// local to the process, and only affects how a failure looks.
/// </summary>
internal sealed class UnknownUsers : IDisposable
{
    private const int MaxNames = 10_000;
    private static readonly TimeSpan Memory = TimeSpan.FromDays(1);

    private readonly MemoryCache _failures = new(new MemoryCacheOptions { SizeLimit = MaxNames });
    private readonly PasswordHasher<User> _hasher;
    private readonly LockoutOptions _lockout;
    private readonly TimeProvider _time;
    private readonly User _placeholder = new();
    private readonly string _hash;

    public UnknownUsers(IOptions<PasswordHasherOptions> hashing, IOptions<IdentityOptions> identity, TimeProvider time)
    {
        _hasher = new PasswordHasher<User>(hashing);
        _lockout = identity.Value.Lockout;
        _time = time;
        _hash = _hasher.HashPassword(_placeholder, Guid.NewGuid().ToString());
    }

    public PasswordResult Check(string normalizedName, string password)
    {
        var failures = _failures.GetOrCreate(normalizedName, entry =>
        {
            entry.Size = 1;
            entry.SlidingExpiration = Memory;
            return new Failures();
        })!;
        var now = _time.GetUtcNow();
        lock (failures)
        {
            if (failures.LockedUntil > now) return new(null, failures.LockedUntil - now);
        }

        _ = _hasher.VerifyHashedPassword(_placeholder, _hash, password);
        lock (failures)
        {
            if (++failures.Count < _lockout.MaxFailedAccessAttempts) return default;
            failures.Count = 0;
            failures.LockedUntil = now + _lockout.DefaultLockoutTimeSpan;
            return default;
        }
    }

    public void Dispose() => _failures.Dispose();

    private sealed class Failures
    {
        public int Count { get; set; }

        public DateTimeOffset LockedUntil { get; set; }
    }
}
