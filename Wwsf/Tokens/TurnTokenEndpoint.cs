using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Tokens;

/// <summary>
/// Response of <c>POST /api/turn-token</c>: the URIs of the TURN server, the token in the form of RFC 7635 (<c>kid</c>,
/// <c>key</c>, <c>access_token</c>; base64; lifetime in seconds), and the same token in the form that a browser can use.
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

/// <summary><c>POST /api/turn-token</c>: steps 2 to 6 of figure X.5.3.2-1 for the page.</summary>
internal static class TurnTokenEndpoint
{
    public static void MapTurnToken(this IEndpointRouteBuilder api) =>
        api.MapPost("turn-token", IssueAsync)
            .RequireAntiforgeryToken()
            .RequirePasskey()
            .RequireRateLimiting(Limits.TurnTokens)
            .WithMetadata(
                new SessionRequired(Step: 3),
                new Counted((telemetry, outcome) => telemetry.CountTurnToken(outcome), TokenRefusals.Log));

    private static async Task IssueAsync(
        HttpContext context, WafClient waf, SessionRevocations revocations, AuditLog audit, WwsfSettings settings)
    {
        var session = WebSession.From(context.User)!;
        var answer = await waf.RequestTurnTokenAsync(session, context.RequestAborted);
        if (answer.Token is not { } token)
        {
            await answer.Problem!.ExecuteAsync(context);
            return;
        }

        revocations.SetTurnTokenIssued(TimeSpan.FromSeconds(token.ExpiresIn));
        using var step = WwsfTelemetry.StartStep(6, "answer with TURN token");
        audit.LogTurnTokenIssued(session.KindForPeople, session.Pseudonym, token.Kid!, token.ExpiresIn);
        var sessionChecked = context.Features.Get<SessionCheckTime>()!.Elapsed;
        context.Response.Headers[ServerTiming.Header] = ServerTiming.Write(sessionChecked, answer.Elapsed, answer.TokenMade);
        await TypedResults.Ok(new TurnTokenAnswer(
                settings.TurnUris, token.Kid!, token.Key!, token.AccessToken!, token.ExpiresIn,
                [new IceServer(settings.TurnUris, token.BrowserUserName, token.Key!)]))
            .ExecuteAsync(context);
    }
}
