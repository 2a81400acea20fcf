namespace WebRtcIms.EpCscf;

/// <summary>So many in a time, and as many at once as were not used up.</summary>
/// <param name="capacity">At once.</param>
/// <param name="perSecond">In the long run.</param>
/// <param name="time">The clock.</param>
internal sealed class TokenBucket(double capacity, double perSecond, TimeProvider time)
{
    private readonly Lock _gate = new();
    private double _used;
    private long _last = time.GetTimestamp();

    public bool TryTake()
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
