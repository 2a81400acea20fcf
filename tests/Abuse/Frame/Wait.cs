using System.Diagnostics;

namespace WebRtcIms.Abuse.Frame;

/// <summary>Waits for what happens in another process, up to a limit.</summary>
internal static class Wait
{
    public static Task<bool> UntilAsync(Func<bool> condition, TimeSpan limit) => UntilAsync(() => Task.FromResult(condition()), limit);

    /// <summary>Whether the condition became true before the limit.</summary>
    public static async Task<bool> UntilAsync(Func<Task<bool>> condition, TimeSpan limit, TimeSpan? interval = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > limit) return false;
            await Task.Delay(interval ?? TimeSpan.FromMilliseconds(100));
        }

        return true;
    }
}
