using System.Net.Http.Headers;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>Why the registration did not succeed. The reason is a text of this program, so it has no secret.</summary>
/// <param name="Reason">For the log and the health report.</param>
/// <param name="NeedsOperator">Without a change of settings the next attempt fails too.</param>
/// <param name="RetryAfter">How long the WAF asks to wait.</param>
internal sealed record Failure(string Reason, bool NeedsOperator = false, TimeSpan? RetryAfter = null);

internal static class RetryAfterHeader
{
    /// <summary>The time of the header from now on; null if there is none.</summary>
    public static TimeSpan? ReadRetryAfter(this HttpResponseHeaders headers, TimeProvider time) => headers.RetryAfter switch
    {
        { Delta: { } wait } => wait,
        { Date: { } date } => date - time.GetUtcNow(),
        _ => null,
    };
}
