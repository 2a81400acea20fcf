using Microsoft.Extensions.Http.Resilience;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>The HTTP client for the WAF: bounded in time and size, repeated where that does no harm.</summary>
internal static class WafSetup
{
    // A first attempt may meet a WAF that has just started.
    private static readonly TimeSpan AttemptLimit = TimeSpan.FromSeconds(2.5);
    private const int MaxAnswerBytes = 16 * 1024;

    public static void AddWafClient(this IHostApplicationBuilder builder)
    {
        var client = builder.Services.AddHttpClient<WafClient>(http =>
        {
            http.BaseAddress = new Uri("https+http://waf");
            http.MaxResponseContentBufferSize = MaxAnswerBytes;
        });
        // A redirect would carry the session's pseudonym, and a cookie would join sessions.
        client.ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
#pragma warning disable EXTEXP0001 // The only way to replace the handler of ServiceDefaults for one client; Aspire's documentation has it so.
        client.RemoveAllResilienceHandlers();
#pragma warning restore EXTEXP0001
        client.AddStandardResilienceHandler(Configure);
    }

    /// <summary>
    /// A token request may be repeated: it changes nothing but that one more token exists. It is not when the WAF says when to
    /// come back; the page is told that instead.
    /// </summary>
    private static void Configure(HttpStandardResilienceOptions resilience)
    {
        resilience.TotalRequestTimeout.Timeout = WafClient.Limit - TimeSpan.FromMilliseconds(200);
        resilience.AttemptTimeout.Timeout = AttemptLimit;
        resilience.Retry.MaxRetryAttempts = 2;
        resilience.Retry.Delay = TimeSpan.FromMilliseconds(200);
        resilience.Retry.ShouldRetryAfterHeader = false;
        resilience.Retry.ShouldHandle = attempt => ValueTask.FromResult(
            HttpClientResiliencePredicates.IsTransient(attempt.Outcome) && attempt.Outcome.Result is not { Headers.RetryAfter: not null });
        resilience.CircuitBreaker.BreakDuration = TimeSpan.FromSeconds(2);
    }
}
