using WebRtcIms.Wwsf.Session;
using WebRtcIms.Wwsf.Waf;

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
    public static void MapTurnToken(this IEndpointRouteBuilder api) =>
        api.MapPost("turn-token", IssueAsync)
            .RequireAntiforgeryToken()
            .RequireRateLimiting(Limits.TurnTokens)
            .WithMetadata(new SessionRequired(Step: 3), new Counted((metrics, outcome) => metrics.CountTurnToken(outcome)));

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
}
