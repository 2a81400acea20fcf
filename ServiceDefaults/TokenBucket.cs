namespace WebRtcIms.ServiceDefaults;

/// <summary>Token bucket: <paramref name="perSecond"/> sustained, <paramref name="capacity"/> burst.</summary>
public sealed class TokenBucket(double capacity, double perSecond, TimeProvider time)
{
    private readonly Lock _gate = new();
    private double _used;
    private long _last = time.GetTimestamp();

    public bool TryAcquire()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            _used = Math.Max(0, _used - (time.GetElapsedTime(_last, now).TotalSeconds * perSecond));
            _last = now;
            if (_used > capacity - 1) return false;
            _used++;
            return true;
        }
    }
}
