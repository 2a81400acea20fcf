using Microsoft.Extensions.Time.Testing;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>A failed log-in takes 200 ms of the clock of the WWSF, which stands still in a test.</summary>
internal static class PastFailureTime
{
    public static async Task<Answer> RunAsync(FakeTimeProvider time, Task<Answer> login)
    {
        while (await Task.WhenAny(login, Task.Delay(20, TestContext.Current.CancellationToken)) != login)
            time.Advance(TimeSpan.FromMilliseconds(50));
        return await login;
    }
}
