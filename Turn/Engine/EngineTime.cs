namespace WebRtcIms.Turn.Engine;

/// <summary>
/// The time of an event: <paramref name="Milliseconds"/> on a clock that never jumps, for every timer of RFC 8656, and
/// <paramref name="Utc"/>, for the tokens, whose timestamps another machine wrote.
/// </summary>
internal readonly record struct EngineTime(long Milliseconds, DateTimeOffset Utc)
{
    public static EngineTime From(TimeProvider clock) => new(
        (long)clock.GetElapsedTime(0).TotalMilliseconds, clock.GetUtcNow());

    public long After(TimeSpan span) => Milliseconds + (long)span.TotalMilliseconds;
}
