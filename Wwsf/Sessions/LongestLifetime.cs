namespace WebRtcIms.Wwsf.Sessions;

/// <summary>The longest lifetime of the tokens of one kind that this process has issued.</summary>
internal sealed class LongestLifetime
{
    private long _ticks;

    /// <summary>The longest that any token may have if none was issued.</summary>
    public TimeSpan Value => Interlocked.Read(ref _ticks) is > 0 and var ticks
        ? TimeSpan.FromTicks(Math.Min(ticks, TokenLimits.LongestLifetime.Ticks))
        : TokenLimits.LongestLifetime;

    public void Add(TimeSpan lifetime)
    {
        var known = Interlocked.Read(ref _ticks);
        while (lifetime.Ticks > known)
        {
            var before = Interlocked.CompareExchange(ref _ticks, lifetime.Ticks, known);
            if (before == known) return;
            known = before;
        }
    }
}
