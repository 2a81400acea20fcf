using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Polly;
using WebRtcIms.Contracts;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.TurnToken;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>A token answer of the WAF.</summary>
internal interface IWafToken
{
    /// <summary>Why it cannot be used, without any of its content; null when it can.</summary>
    string? Problem();
}

/// <summary>A token, or the problem to tell the page; and the times of steps 4 and 5, where known.</summary>
internal sealed record WafAnswer<TToken>(TToken? Token, Problem? Problem, TimeSpan Elapsed = default, TimeSpan? TokenMade = null);

/// <summary>
/// The WWSF as OAuth client asks the WAF (interface W4, client credentials grant). It names the session
/// by its pseudonym; who the user is it does not say, but for the identity that a registration is for.
/// </summary>
internal sealed partial class WafClient(HttpClient http, WwsfSettings settings, TimeProvider time, ILogger<WafClient> logger)
{
    /// <summary>Somebody waits for a call to begin: whatever happens, there is an answer within this time.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private const string TokenEndpoint = "/oauth2/token";
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Step 4 of figure X.5.3.2-1.</summary>
    public async Task<WafAnswer<WafToken>> RequestTurnTokenAsync(string sid, CancellationToken cancellationToken)
    {
        using var step = WwsfTracing.StartStep(4, "request TURN token");
        var start = time.GetTimestamp();
        var answer = await SendAsync<WafToken>("TURN", new()
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = Scopes.Stun,
            ["aud"] = settings.TurnServerName,
            ["timestamp"] = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["token_type"] = "pop",
            ["alg"] = WafToken.Algorithm,
            ["sid"] = sid,
        }, cancellationToken);
        if (answer.Problem is { } problem) step.Fail(problem.Code);
        return answer with { Elapsed = time.GetElapsedTime(start) };
    }

    /// <summary>The token with which the session's page registers this identity (TS 33.203 X.3, X.4).</summary>
    public async Task<WafAnswer<RegistrationToken>> RequestRegistrationTokenAsync(string sid, ImsIdentity identity, CancellationToken cancellationToken)
    {
        using var span = WwsfTracing.Start("request registration token");
        var answer = await SendAsync<RegistrationToken>("registration", new()
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = RegistrationToken.RequestedScope,
            ["impu"] = identity.Impu,
            ["impi"] = identity.Impi,
            ["sid"] = sid,
        }, cancellationToken);
        if (answer.Problem is { } problem) span.Fail(problem.Code);
        return answer;
    }

    private async Task<WafAnswer<TToken>> SendAsync<TToken>(string kind, Dictionary<string, string> form, CancellationToken cancellationToken)
        where TToken : class, IWafToken
    {
        // The resilience handler is done when the headers are there; this one counts the body, too.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, TokenEndpoint)
            {
                Content = new FormUrlEncodedContent(form),
            };
            using var response = await http.SendAsync(request, limit.Token);
            var body = await response.Content.ReadAsStringAsync(limit.Token);
            return (int)response.StatusCode switch
            {
                200 => Accept<TToken>(kind, body, ServerTiming.ReadStep5(response.Headers)),
                429 or >= 500 => new(null, Unavailable(kind, $"HTTP {(int)response.StatusCode}", RetryAfter(response))),
                var status => new(null, Refused(kind, status, body)),
            };
        }
        catch (Exception error) when (error is HttpRequestException or ExecutionRejectedException)
        {
            return new(null, Unavailable(kind, error is HttpRequestException { HttpRequestError: var reason } ? reason.ToString() : error.GetType().Name));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new(null, Unavailable(kind, "no complete answer in time"));
        }
    }

    private WafAnswer<TToken> Accept<TToken>(string kind, string body, TimeSpan? tokenMade)
        where TToken : class, IWafToken
    {
        var token = Parse<TToken>(body);
        if ((token is null ? "it is not a JSON token response" : token.Problem()) is not { } problem) return new(token, null, TokenMade: tokenMade);
        LogUnusable(kind, problem);
        return new(null, Problem.WafRefused);
    }

    private Problem Refused(string kind, int status, string body)
    {
        var error = Parse<OAuthError>(body)?.Error;
        LogRefused(kind, status, error is not null && ErrorCode().IsMatch(error) ? error : "not told");
        return Problem.WafRefused;
    }

    private Problem Unavailable(string kind, string reason, TimeSpan? retryAfter = null)
    {
        LogUnavailable(kind, reason);
        return Problem.WafUnavailable(retryAfter);
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

    [LoggerMessage(1, LogLevel.Error, "The WAF refused the {Kind} token request with HTTP {Status}, OAuth error {OAuthError}. " +
        "Check Wwsf:Waf:ClientId and Wwsf:Waf:ClientSecret (or Wwsf:Waf:KeyFile and Wwsf:Waf:Issuer), Wwsf:TurnServerName for a TURN token, and Wwsf:HomeDomain and Wwsf:Pool:Name " +
        "for a registration token, against the WAF's settings.")]
    private partial void LogRefused(string kind, int status, string oAuthError);

    [LoggerMessage(2, LogLevel.Error, "The WAF's answer to the {Kind} token request cannot be used: {Reason}.")]
    private partial void LogUnusable(string kind, string reason);

    [LoggerMessage(3, LogLevel.Warning, "The WAF did not answer the {Kind} token request: {Reason}.")]
    private partial void LogUnavailable(string kind, string reason);

    private sealed record OAuthError(string? Error);
}
