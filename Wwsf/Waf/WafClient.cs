using Polly;
using Polly.Timeout;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Waf.Registration;

namespace WebRtcIms.Wwsf.Waf;

internal interface IWafToken
{
    /// <summary>Why the token cannot be used, without any of its content; null if it can be used.</summary>
    string? Problem();
}

/// <summary>A token, or the problem for the page; and the durations of steps 4 and 5, if known.</summary>
internal sealed record WafAnswer<TToken>(TToken? Token, Problem? Problem, TimeSpan Elapsed = default, TimeSpan? TokenMade = null);

/// <summary>
/// The OAuth client of the WAF (interface W4, client credentials grant). It identifies the session by its pseudonym. Only a
/// request for a registration token contains an identity.
/// </summary>
internal sealed partial class WafClient(
    HttpClient http, ClientState client, WafAvailability availability, WwsfSettings settings, TimeProvider time,
    ILogger<WafClient> logger)
{
    /// <summary>A person waits for a call to begin, so every request ends within this time.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private const string TokenEndpoint = "/oauth2/token";
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Step 4 of figure X.5.3.2-1.</summary>
    /// <param name="session">Only its pseudonym goes to the WAF.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <param name="server">The TURN server; null for the one of the settings.</param>
    /// <param name="lifetime">A shorter life than usual.</param>
    public async Task<WafAnswer<TurnToken>> RequestTurnTokenAsync(
        WebSession session, CancellationToken cancellationToken, string? server = null, TimeSpan? lifetime = null)
    {
        using var step = WwsfTelemetry.StartStep(4, "request TURN token");
        var start = time.GetTimestamp();
        Dictionary<string, string> form = new()
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = Scopes.Stun,
            ["aud"] = server ?? settings.TurnServerName,
            ["timestamp"] = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["token_type"] = "pop",
            ["alg"] = TurnToken.Algorithm,
            ["sid"] = session.Sid,
            ["guest"] = session.User is null ? "true" : "false",
        };
        if (lifetime is { TotalSeconds: var seconds }) form["lifetime"] = seconds.ToString("0", CultureInfo.InvariantCulture);
        var answer = await SendAsync<TurnToken>("TURN", form, cancellationToken);
        if (answer.Problem is { } problem) WwsfTelemetry.Fail(step, problem.Code);
        return answer with { Elapsed = time.GetElapsedTime(start) };
    }

    /// <summary>The token with which the page of the session registers this identity (TS 33.203 X.3, X.4).</summary>
    public async Task<WafAnswer<RegistrationToken>> RequestRegistrationTokenAsync(
        string sid, ImsIdentity identity, CancellationToken cancellationToken)
    {
        using var span = WwsfTelemetry.Start("request registration token");
        var answer = await SendAsync<RegistrationToken>("registration", new()
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = Scopes.ImsRegister,
            ["impu"] = identity.Impu,
            ["impi"] = identity.Impi,
            ["sid"] = sid,
        }, cancellationToken);
        if (answer.Problem is { } problem) WwsfTelemetry.Fail(span, problem.Code);
        return answer;
    }

    private async Task<WafAnswer<TToken>> SendAsync<TToken>(
        string kind, Dictionary<string, string> form, CancellationToken cancellationToken)
        where TToken : class, IWafToken
    {
        var (credentials, failure) = client.Current;
        if (credentials is null)
        {
            LogNotSent(kind, failure.Reason);
            return new(null, failure.ToProblem());
        }

        // The time limit of the resilience handler ends with the headers; this one also covers the body.
        using var timeout = new CancellationTokenSource(Limit, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, TokenEndpoint)
            {
                Content = new FormUrlEncodedContent(form),
            };
            request.Options.Set(WafAuthentication.Credentials, credentials);
            using var response = await http.SendAsync(request, limit.Token);
            var body = await response.Content.ReadAsStringAsync(limit.Token);
            if ((int)response.StatusCode < 500 && availability.IsBack()) LogAvailable();
            return (int)response.StatusCode switch
            {
                200 => Accept<TToken>(kind, body, ServerTiming.ReadStep5(response.Headers)),
                429 or >= 500 => new(null, Unavailable(kind, $"HTTP {(int)response.StatusCode}", response.Headers.ReadRetryAfter(time))),
                var status => new(null, Refused(kind, status, body, credentials)),
            };
        }
        catch (Exception error) when (error is TimeoutRejectedException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            return new(null, Unavailable(kind, "no complete response in time"));
        }
        catch (Exception error) when (error is HttpRequestException or ExecutionRejectedException)
        {
            var reason = error is HttpRequestException { HttpRequestError: var httpError } ? httpError.ToString() : error.GetType().Name;
            return new(null, Unavailable(kind, reason));
        }
    }

    private WafAnswer<TToken> Accept<TToken>(string kind, string body, TimeSpan? tokenMade)
        where TToken : class, IWafToken
    {
        var token = Parse<TToken>(body);
        if ((token is null ? "it is not a JSON token response" : token.Problem()) is not { } problem)
            return new(token, null, TokenMade: tokenMade);
        LogUnusable(kind, problem);
        return new(null, Problem.WafRefused);
    }

    private Problem Refused(string kind, int status, string body, WafCredentials credentials)
    {
        var error = Parse<OAuthError>(body)?.Error;
        if (error == "invalid_client" && client.TryReport(credentials)) return Unavailable(kind, "it refused the client, which is checked");
        LogRefused(kind, status, error is not null && ErrorCode().IsMatch(error) ? error : "unknown");
        return Problem.WafRefused;
    }

    private Problem Unavailable(string kind, string reason, TimeSpan? retryAfter = null)
    {
        availability.Lost();
        LogUnavailable(kind, reason);
        return Problem.WafUnavailable(retryAfter);
    }

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

    // Only an error code (RFC 6749 §5.2) is logged. Other text could contain a secret or forge a log line.
    [GeneratedRegex("^[a-z_]{1,40}$")]
    private static partial Regex ErrorCode();

    [LoggerMessage(1, LogLevel.Error, "The WAF refused the {Kind} token request with HTTP {Status}, OAuth error {OAuthError}. " +
        "Compare these settings with those of the WAF: Wwsf:Waf:ClientId and Wwsf:Waf:ClientSecret " +
        "(or Wwsf:Waf:KeyFile and Wwsf:Waf:Issuer, or Wwsf:Waf:InitialAccessToken); " +
        "for a TURN token also Wwsf:TurnServerName; for a registration token also Wwsf:HomeDomain and Wwsf:Pool:Name.")]
    private partial void LogRefused(string kind, int status, string oAuthError);

    [LoggerMessage(2, LogLevel.Error, "The WAF's response to the {Kind} token request cannot be used: {Reason}.")]
    private partial void LogUnusable(string kind, string reason);

    [LoggerMessage(3, LogLevel.Warning, "The WAF did not answer the {Kind} token request: {Reason}.")]
    private partial void LogUnavailable(string kind, string reason);

    [LoggerMessage(5, LogLevel.Information, "The WAF answers token requests again.")]
    private partial void LogAvailable();

    // The registration has logged the reason.
    [LoggerMessage(4, LogLevel.Debug, "The {Kind} token request was not sent: {Reason}.")]
    private partial void LogNotSent(string kind, string reason);

    private sealed record OAuthError(string? Error);
}
