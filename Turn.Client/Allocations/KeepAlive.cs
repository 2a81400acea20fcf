namespace WebRtcIms.Turn.Client.Allocations;

/// <summary>
/// When what an allocation has must be renewed: the allocation before its lifetime ends (RFC 8656 §8), permissions within
/// their 5 minutes (§9), channels within their 10 (§12); each with room for the retransmissions of a lost request.
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

    /// <param name="clock">The clock.</param>
    /// <param name="lifetime">What was granted.</param>
    /// <param name="refresh">Refreshes the allocation; never throws, like the others.</param>
    /// <param name="permissions">Renews all permissions.</param>
    /// <param name="channels">Renews all channels.</param>
    public KeepAlive(TimeProvider clock, TimeSpan lifetime, Func<Task> refresh, Func<Task> permissions, Func<Task> channels)
    {
        _refresh = clock.CreateTimer(_ => refresh(), null, DelayIn(lifetime), Timeout.InfiniteTimeSpan);
        _permissions = clock.CreateTimer(_ => permissions(), null, PermissionPeriod, PermissionPeriod);
        _channels = clock.CreateTimer(_ => channels(), null, ChannelPeriod, ChannelPeriod);
    }

    /// <summary>The allocation was refreshed, and lives this long from now.</summary>
    public void Granted(TimeSpan lifetime) => _refresh.Change(DelayIn(lifetime), Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _refresh.Dispose();
        _permissions.Dispose();
        _channels.Dispose();
    }

    /// <summary>A minute before the end; of a short lifetime, at three quarters.</summary>
    private static TimeSpan DelayIn(TimeSpan lifetime)
    {
        var margin = lifetime / 4 < LongestMargin ? lifetime / 4 : LongestMargin;
        return lifetime - margin > ShortestDelay ? lifetime - margin : ShortestDelay;
    }
}
