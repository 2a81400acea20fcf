namespace WebRtcIms.Turn.Client.Allocations;

/// <summary>
/// Renews an allocation before its lifetime ends (RFC 8656 §8), its permissions within 5 minutes (§9), and its channels within 10
/// (§12). Each has room for the retransmissions of a lost request.
/// </summary>
internal sealed class KeepAlive : IDisposable
{
    private static readonly TimeSpan PermissionPeriod = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan ChannelPeriod = TimeSpan.FromMinutes(9);
    private static readonly TimeSpan LongestMargin = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ShortestDelay = TimeSpan.FromSeconds(1);

    private readonly ITimer _refresh;
    private readonly ITimer _permissions;
    private readonly ITimer _channels;

    /// <param name="time">The time source.</param>
    /// <param name="lifetime">The granted lifetime.</param>
    /// <param name="refresh">Refreshes the allocation. Like the others, it never throws.</param>
    /// <param name="permissions">Renews all permissions.</param>
    /// <param name="channels">Renews all channels.</param>
    public KeepAlive(TimeProvider time, TimeSpan lifetime, Func<Task> refresh, Func<Task> permissions, Func<Task> channels)
    {
        _refresh = time.CreateTimer(_ => refresh(), null, DelayIn(lifetime), Timeout.InfiniteTimeSpan);
        _permissions = time.CreateTimer(_ => permissions(), null, PermissionPeriod, PermissionPeriod);
        _channels = time.CreateTimer(_ => channels(), null, ChannelPeriod, ChannelPeriod);
    }

    /// <summary>The allocation was refreshed and has this lifetime from now.</summary>
    public void Granted(TimeSpan lifetime) => _refresh.Change(DelayIn(lifetime), Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _refresh.Dispose();
        _permissions.Dispose();
        _channels.Dispose();
    }

    /// <summary>One minute before the end, or three quarters of a short lifetime.</summary>
    private static TimeSpan DelayIn(TimeSpan lifetime)
    {
        var margin = lifetime / 4 < LongestMargin ? lifetime / 4 : LongestMargin;
        return lifetime - margin > ShortestDelay ? lifetime - margin : ShortestDelay;
    }
}
