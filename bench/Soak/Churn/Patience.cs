using System.Net;

namespace WebRtcIms.Soak.Churn;

/// <summary>
/// Requests that are sent again, as the page does, when a part says that it cannot answer for some seconds or has not answered in time. On
/// a machine that is short of CPU both happen.
/// </summary>
internal static class Patience
{
    private const int Attempts = 20;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private static long _repeated;

    /// <summary>Requests that were sent again.</summary>
    public static long Repeated => Interlocked.Read(ref _repeated);

    /// <exception cref="HttpRequestException">It failed otherwise, or too often.</exception>
    public static async Task<T> AskAsync<T>(Func<Task<T>> request)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await request();
            }
            catch (Exception problem) when (attempt < Attempts
                && problem is TaskCanceledException or HttpRequestException { StatusCode: HttpStatusCode.ServiceUnavailable })
            {
                Interlocked.Increment(ref _repeated);
                await Task.Delay(Pause);
            }
        }
    }
}
