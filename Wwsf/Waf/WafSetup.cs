using Microsoft.Extensions.Http.Resilience;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Waf.Registration;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>The HTTP client for the WAF: limited in time and size, with retries where they are safe.</summary>
internal static partial class WafSetup
{
    // The first response of a WAF that has just started takes longer.
    private static readonly TimeSpan AttemptLimit = TimeSpan.FromSeconds(2.5);
    private const int MaxAnswerBytes = 16 * 1024;

    public static void AddWafClient(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        builder.Services.AddSingleton<ClientState>();
        builder.Services.AddSingleton<WafAvailability>();
        if (settings.Waf.RegistersItself) builder.AddClientRegistration();
        var client = builder.Services.AddHttpClient<WafClient>(http =>
        {
            http.BaseAddress = new Uri("https+http://waf");
            http.MaxResponseContentBufferSize = MaxAnswerBytes;
        });
        client.UseOwnHandlers();
        client.AddStandardResilienceHandler(Configure);
        // After the resilience handler, so that it authenticates each attempt.
        client.AddHttpMessageHandler<WafAuthentication>();
        builder.Services.AddTransient<WafAuthentication>();
    }

    private static void AddClientRegistration(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddHttpClient<RegistrationClient>(http =>
        {
            http.BaseAddress = new Uri("https+http://waf");
            http.MaxResponseContentBufferSize = MaxAnswerBytes;
        }).UseOwnHandlers();
        services.AddSingleton<ClientStore>();
        services.AddHostedService<ClientRegistration>();
        services.AddHealthChecks().AddCheck<ClientHealthCheck>(ClientHealthCheck.Name);
    }

    private static void UseOwnHandlers(this IHttpClientBuilder client)
    {
        // A redirect would disclose the pseudonym of the session or a token, and a cookie would link sessions.
        client.ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
#pragma warning disable EXTEXP0001 // Aspire's documentation gives no other way to replace the handler of ServiceDefaults for one client.
        client.RemoveAllResilienceHandlers();
#pragma warning restore EXTEXP0001
    }

    /// <summary>Logs the public key that the WAF needs in its settings, if this client signs its requests.</summary>
    public static void LogWafKey(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<WwsfSettings>();
        if (settings.Waf.Credentials is { Signing: { } signing } client) LogKey(app.Logger, client.ClientId, WafSigning.Jwks(signing.Key));
    }

    [LoggerMessage(1, LogLevel.Information, "Requests to the WAF are signed. Give the WAF this Jwks for the client {ClientId}: {Jwks}")]
    private static partial void LogKey(ILogger logger, string clientId, string jwks);

    /// <summary>
    /// A token request may be retried: the only effect is one more token. It is not retried if the response has Retry-After; the
    /// page then gets that time.
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
