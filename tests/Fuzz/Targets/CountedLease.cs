namespace WebRtcIms.Fuzz.Targets;

/// <summary>A lease of the quotas, which counts how often it is returned.</summary>
internal sealed class CountedLease(IDisposable lease) : IDisposable
{
    public int Returned { get; private set; }

    public void Dispose()
    {
        Returned++;
        lease.Dispose();
    }
}
