namespace WebRtcIms.Turn.Engine.Primitives;

/// <summary>
/// The time of an event: <paramref name="Milliseconds"/> on a clock that never jumps, for every timer of RFC 8656, and
/// <paramref name="Utc"/>, for the tokens, whose timestamps another machine wrote.
/// </summary>
public readonly record struct EngineTime(long Milliseconds, DateTimeOffset Utc)
{
    /// <summary>The time in milliseconds after a span.</summary>
    public long After(TimeSpan span) => Milliseconds + (long)span.TotalMilliseconds;
}
