using Microsoft.Extensions.Http.Resilience;
using WebRtcIms.Wwsf.Session;

namespace WebRtcIms.Wwsf.TurnToken;

/// <summary>
/// Answer of <c>POST /api/turn-token</c>: the TURN server's URIs, the token as RFC 7635 has it (<c>kid</c>, <c>key</c>,
/// <c>access_token</c>; base64; lifetime in seconds), and the same once more as a browser can use it.
/// </summary>
internal sealed record TurnTokenAnswer(
    IReadOnlyList<string> Uris, string Kid, string Key, string AccessToken, int ExpiresIn, IReadOnlyList<IceServer> IceServers)
{
    public override string ToString() => "***";
}

/// <summary>An entry of <c>RTCConfiguration.iceServers</c>.</summary>
internal sealed record IceServer(IReadOnlyList<string> Urls, string Username, string Credential)
{
    public override string ToString() => "***";
}

/// <summary><c>POST /api/turn-token</c>: steps 2 to 6 of figure X.5.3.2-1 as the page sees them.</summary>
internal static class TurnTokenEndpoint
{
    // A first attempt may meet a WAF that has just started.
    private static readonly TimeSpan AttemptLimit = TimeSpan.FromSeconds(2.5);
    private const int MaxAnswerBytes = 16 * 1024;

    public static void AddTurnTokens(this IHostApplicationBuilder builder)
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

    public static void MapTurnToken(this WebApplication app) =>
        app.MapPost("/api/turn-token", IssueAsync)
            .RequireAntiforgeryToken()
            .RequireRateLimiting(Limits.TurnTokens)
            .WithMetadata(new SessionRequired(), new Counted((metrics, outcome) => metrics.CountTurnToken(outcome)));

    private static async Task IssueAsync(HttpContext context, WafClient waf, WwsfSettings settings)
    {
        var session = WebSession.From(context.User)!;
        var answer = await waf.RequestTurnTokenAsync(session.Sid, context.RequestAborted);
        if (answer.Token is not { } token)
        {
            await answer.Problem!.ExecuteAsync(context);
            return;
        }

        using var step = WwsfTracing.StartStep(6, "answer with TURN token");
        var sessionChecked = context.Features.Get<SessionCheckTime>()!.Elapsed;
        context.Response.Headers[ServerTiming.Header] = ServerTiming.Write(sessionChecked, answer.Elapsed, answer.TokenMade);
        await TypedResults.Ok(new TurnTokenAnswer(
                settings.TurnUris, token.Kid!, token.Key!, token.AccessToken!, token.ExpiresIn,
                [new IceServer(settings.TurnUris, token.BrowserUserName, token.Key!)]))
            .ExecuteAsync(context);
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
