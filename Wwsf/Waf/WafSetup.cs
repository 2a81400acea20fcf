using Microsoft.Extensions.Http.Resilience;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>The HTTP client for the WAF: bounded in time and size, repeated where that does no harm.</summary>
internal static partial class WafSetup
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
        // Behind it: each attempt is authenticated anew.
        client.AddHttpMessageHandler<WafAuthentication>();
        builder.Services.AddTransient<WafAuthentication>();
    }

    /// <summary>Says what the WAF must have in its settings for this client, where it signs.</summary>
    public static void TellWafKey(this WebApplication app, WwsfSettings settings)
    {
        if (settings.WafSigning is { } signing) LogKey(app.Logger, settings.WafClientId, WafAuthentication.Jwks(signing));
    }

    [LoggerMessage(1, LogLevel.Information, "Requests to the WAF are signed; for the client {ClientId} it needs the Jwks {Jwks}")]
    private static partial void LogKey(ILogger logger, string clientId, string jwks);

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
