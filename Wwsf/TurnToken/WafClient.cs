using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Polly;

namespace WebRtcIms.Wwsf.TurnToken;

/// <summary>A token, or the problem to tell the page; and the times of steps 4 and 5, where known.</summary>
internal sealed record WafAnswer(WafToken? Token, Problem? Problem, TimeSpan Elapsed = default, TimeSpan? TokenMade = null);

/// <summary>
/// Step 4 of figure X.5.3.2-1: the WWSF as OAuth client asks the WAF (interface W4, client credentials grant with
/// client_secret_basic). It names the session by its pseudonym, never the user.
/// </summary>
internal sealed partial class WafClient(HttpClient http, WwsfSettings settings, TimeProvider time, ILogger<WafClient> logger)
{
    /// <summary>Somebody waits for a call to begin: whatever happens, there is an answer within this time.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private const string TokenEndpoint = "/oauth2/token";
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public async Task<WafAnswer> RequestTurnTokenAsync(string sid, CancellationToken cancellationToken)
    {
        using var step = WwsfTracing.StartStep(4, "request TURN token");
        var start = time.GetTimestamp();
        var answer = await SendAsync(sid, cancellationToken);
        if (answer.Problem is { } problem) step.Fail(problem.Code);
        return answer with { Elapsed = time.GetElapsedTime(start) };
    }

    private async Task<WafAnswer> SendAsync(string sid, CancellationToken cancellationToken)
    {
        // The resilience handler is done when the headers are there; this one counts the body, too.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            using var request = TokenRequest(sid);
            using var response = await http.SendAsync(request, limit.Token);
            var body = await response.Content.ReadAsStringAsync(limit.Token);
            return (int)response.StatusCode switch
            {
                200 => Accept(body, ServerTiming.ReadStep5(response.Headers)),
                429 or >= 500 => Unavailable($"HTTP {(int)response.StatusCode}", RetryAfter(response)),
                var status => Refused(status, body),
            };
        }
        catch (Exception error) when (error is HttpRequestException or ExecutionRejectedException)
        {
            return Unavailable(error is HttpRequestException { HttpRequestError: var reason } ? reason.ToString() : error.GetType().Name);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Unavailable("no complete answer in time");
        }
    }

    private HttpRequestMessage TokenRequest(string sid) => new(HttpMethod.Post, TokenEndpoint)
    {
        Headers = { Authorization = BasicCredentials() },
        Content = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = "stun",
            ["aud"] = settings.TurnServerName,
            ["timestamp"] = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["token_type"] = "pop",
            ["alg"] = WafToken.Algorithm,
            ["sid"] = sid,
        }),
    };

    // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
    private AuthenticationHeaderValue BasicCredentials() => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(
        $"{Uri.EscapeDataString(settings.WafClientId)}:{Uri.EscapeDataString(settings.WafClientSecret.Reveal())}")));

    private WafAnswer Accept(string body, TimeSpan? tokenMade)
    {
        var token = Parse<WafToken>(body);
        if ((token is null ? "it is not a JSON token response" : token.Problem()) is not { } problem) return new(token, null, TokenMade: tokenMade);
        LogUnusable(problem);
        return new(null, Problem.WafRefused);
    }

    private WafAnswer Refused(int status, string body)
    {
        var error = Parse<OAuthError>(body)?.Error;
        LogRefused(status, error is not null && ErrorCode().IsMatch(error) ? error : "not told");
        return new(null, Problem.WafRefused);
    }

    private WafAnswer Unavailable(string reason, TimeSpan? retryAfter = null)
    {
        LogUnavailable(reason);
        return new(null, Problem.WafUnavailable(retryAfter));
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } wait } => wait,
        { Date: { } date } => date - time.GetUtcNow(),
        _ => null,
    };

    private static T? Parse<T>(string body)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(body, SnakeCase);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // An error code (RFC 6749 §5.2) goes to the log; anything that does not look like one may be anything.
    [GeneratedRegex("^[a-z_]{1,40}$")]
    private static partial Regex ErrorCode();

    [LoggerMessage(1, LogLevel.Error, "The WAF refused the TURN token request with HTTP {Status}, OAuth error {OAuthError}. " +
        "Check Wwsf:Waf:ClientId, Wwsf:Waf:ClientSecret and Wwsf:TurnServerName against the WAF's settings.")]
    private partial void LogRefused(int status, string oAuthError);

    [LoggerMessage(2, LogLevel.Error, "The WAF's answer to the TURN token request cannot be used: {Reason}.")]
    private partial void LogUnusable(string reason);

    [LoggerMessage(3, LogLevel.Warning, "The WAF did not answer the TURN token request: {Reason}.")]
    private partial void LogUnavailable(string reason);

    private sealed record OAuthError(string? Error);
}
