namespace WebRtcIms.Wwsf.Ims;

/// <summary>Leases of a WWSF that is alone and without Redis; a restart forgets them.</summary>
internal sealed class InMemoryLeaseStore(WwsfSettings settings, TimeProvider time) : ILeaseStore
{
    private readonly Lock _gate = new();
    private readonly Lease[] _leases = new Lease[settings.Pool.Size];
    private readonly Dictionary<string, int> _held = [];

    public Task<int?> TakeAsync(string sid, TimeSpan duration)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if ((Held(sid, now) ?? FirstFree(sid, now)) is not { } index) return Task.FromResult<int?>(null);
            if (_leases[index].Sid is { } last && last != sid) _held.Remove(last);
            var until = _leases[index].Sid == sid && _leases[index].Until > now + duration ? _leases[index].Until : now + duration;
            _leases[index] = new(sid, until);
            _held[sid] = index;
            return Task.FromResult<int?>(index + 1);
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
            if (Held(sid, now) is { } index) _leases[index] = new(null, now + quarantine);
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
    /// <param name="Until">Free from then on.</param>
    private readonly record struct Lease(string? Sid, DateTimeOffset Until);
}
