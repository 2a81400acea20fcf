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
                if (FirstFree(sid, now) is not { } free) return Task.FromResult(new LeaseResult(null));
                if (_leases[free].Sid is { } last) _held.Remove(last);
                _leases[free] = new(sid, caller, now);
                index = free;
            }

            var until = _leases[index].Until;
            _leases[index] = _leases[index] with { Until = until > now + duration ? until : now + duration };
            _held[sid] = index;
            return Task.FromResult(new LeaseResult(index + 1));
        }
    }

    public Task<int?> FindAsync(string sid)
    {
        lock (_gate) return Task.FromResult(Held(sid, time.GetUtcNow()) + 1);
    }

    public Task ReleaseAsync(string sid, string? caller, TimeSpan quarantine)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (Held(sid, now) is { } index) _leases[index] = _leases[index] with { Sid = null, Until = now + quarantine };
            _held.Remove(sid);
        }
        return Task.CompletedTask;
    }

    public Task<int> CountTakenAsync()
    {
        lock (_gate) return Task.FromResult(_leases.Count(lease => lease.Until > time.GetUtcNow()));
    }

    private int? Held(string sid, DateTimeOffset now) => _held.TryGetValue(sid, out var index) && _leases[index].Until > now ? index : null;

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

    /// <param name="Sid">Null in quarantine.</param>
    /// <param name="Caller">The client address that it counts for, also in quarantine.</param>
    /// <param name="Until">The number is free from then on.</param>
    private readonly record struct Lease(string? Sid, string? Caller, DateTimeOffset Until);
}
