using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>Leases of a single WWSF without Redis. A restart forgets them.</summary>
internal sealed class InMemoryLeaseStore(WwsfSettings settings, TimeProvider time) : ILeaseStore
{
    private readonly Lock _gate = new();
    private readonly Lease[] _leases = new Lease[settings.Pool.Size];
    private readonly Dictionary<string, int> _held = [];

    public Task<LeaseResult> LeaseAsync(string sid, string? caller, TimeSpan duration)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (Held(sid, now) is not { } index)
            {
                if (caller is not null && _leases.Count(held => held.Caller == caller && held.Until > now) >= settings.Pool.MaxPerAddress)
                    return Task.FromResult(new LeaseResult(null, IsCallerAtLimit: true));
                if (_leases.Count(held => held.IsUnregistered(now)) >= settings.Pool.MaxUnregistered || FirstFree(sid, now) is not { } free)
                    return Task.FromResult(new LeaseResult(null));
                if (_leases[free].Sid is { } last) _held.Remove(last);
                _leases[free] = new(sid, caller, now, UnregisteredSince: now);
                index = free;
            }

            Extend(index, now + duration);
            _held[sid] = index;
            return Task.FromResult(new LeaseResult(index + 1));
        }
    }

    public Task<bool> ExtendAsync(string sid, TimeSpan duration)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (Held(sid, now) is not { } index) return Task.FromResult(false);
            Extend(index, now + duration);
            return Task.FromResult(true);
        }
    }

    public Task SetRegisteredAsync(string sid, bool isRegistered)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (Held(sid, now) is not { } index) return Task.CompletedTask;
            ref var lease = ref _leases[index];
            lease = isRegistered
                ? lease with { UnregisteredSince = null, WasRegistered = true }
                : lease with { UnregisteredSince = lease.UnregisteredSince ?? now };
        }
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<UnregisteredLease>> FindUnregisteredAsync(int count)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            return Task.FromResult<IReadOnlyList<UnregisteredLease>>(
                [.. _leases.Where(lease => lease.IsUnregistered(now)).OrderBy(lease => lease.UnregisteredSince).Take(count)
                    .Select(lease => new UnregisteredLease(lease.Sid!, lease.UnregisteredSince!.Value))]);
        }
    }

    public Task<int?> FindAsync(string sid)
    {
        lock (_gate) return Task.FromResult(Held(sid, time.GetUtcNow()) + 1);
    }

    public Task ReleaseAsync(string sid, TimeSpan quarantine)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (Held(sid, now) is not { } index) return Task.CompletedTask;
            var lease = _leases[index];
            _leases[index] = lease with { Sid = lease.WasRegistered ? null : sid, IsReleased = true, Until = now + quarantine };
            if (lease.WasRegistered) _held.Remove(sid);
        }
        return Task.CompletedTask;
    }

    public async Task ReclaimAsync(string sid, TimeSpan quarantine)
    {
        await ReleaseAsync(sid, quarantine);
        lock (_gate)
        {
            if (_held.Remove(sid, out var index) && _leases[index].Sid == sid) _leases[index] = default;
        }
    }

    public Task<int> CountTakenAsync()
    {
        lock (_gate) return Task.FromResult(_leases.Count(lease => lease.Until > time.GetUtcNow()));
    }

    private void Extend(int index, DateTimeOffset until)
    {
        if (_leases[index].Until < until) _leases[index] = _leases[index] with { Until = until };
    }

    private int? Held(string sid, DateTimeOffset now) =>
        _held.TryGetValue(sid, out var index) && _leases[index].Until > now && !_leases[index].IsReleased ? index : null;

    private int? FirstFree(string sid, DateTimeOffset now)
    {
        var start = LeaseOrder.Start(sid, _leases.Length);
        for (var i = 0; i < _leases.Length; i++)
        {
            var index = (start + i) % _leases.Length;
            if (_leases[index].Until <= now) return index;
        }
        return null;
    }

    /// <param name="Sid">Null in quarantine after a registration.</param>
    /// <param name="Caller">The client address that it counts for, also in quarantine.</param>
    /// <param name="Until">The number is free from then on.</param>
    /// <param name="UnregisteredSince">Null while the session is known to be registered.</param>
    /// <param name="WasRegistered">Whether others may know the number as that of the session.</param>
    /// <param name="IsReleased">Whether it is in quarantine.</param>
    private readonly record struct Lease(
        string? Sid, string? Caller, DateTimeOffset Until, DateTimeOffset? UnregisteredSince, bool WasRegistered = false,
        bool IsReleased = false)
    {
        public bool IsUnregistered(DateTimeOffset now) => Sid is not null && UnregisteredSince is not null && Until > now;
    }
}
