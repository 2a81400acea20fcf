namespace WebRtcIms.Turn.Transport.Relays;

/// <summary>Counts the sockets of relays and of their connections with peers, so that they leave descriptors for everything else.</summary>
internal sealed class RelaySockets(int most)
{
    private int _open;

    public int Open => Volatile.Read(ref _open);

    /// <summary>Before a socket is opened. False if the share is used up.</summary>
    public bool TryTake()
    {
        if (Interlocked.Increment(ref _open) <= most) return true;
        Return();
        return false;
    }

    /// <summary>After it is closed.</summary>
    public void Return() => Interlocked.Decrement(ref _open);
}
