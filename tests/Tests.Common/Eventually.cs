using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace WebRtcIms.Tests.Common;

/// <summary>Waits for what happens in the background.</summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    // The work takes milliseconds. The machines of tests are busy.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Polls until the condition is true. After a minute the test fails with the text of the condition.</summary>
    public static async Task IsTrueAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Limit, $"After {Limit} it is still false: {text}");
            await Task.Delay(Interval, TestContext.Current.CancellationToken);
        }
    }

    /// <inheritdoc cref="IsTrueAsync(Func{Task{bool}}, string)"/>
    public static Task IsTrueAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "") =>
        IsTrueAsync(() => Task.FromResult(condition()), text);
}
