using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Tokens;

/// <summary>
/// Response of <c>POST /api/ims-token</c>: the token for REGISTER, its lifetime in seconds, and the identity to register.
/// <c>sip_uri</c> is the request URI of REGISTER, <c>realm</c> the home domain, <c>websocket_path</c> a path on the page's origin.
/// </summary>
internal sealed record ImsTokenAnswer(
    string AccessToken, int ExpiresIn, string Impu, string Impi, string DisplayName, string SipUri, string Realm, string WebsocketPath)
{
    public override string ToString() => "***";
}

/// <summary><c>POST /api/ims-token</c>: what the page needs to register with the IMS (prerequisite b of the procedure).</summary>
internal static class ImsTokenEndpoint
{
    private const string WebSocketPath = "/sip";

    public static void MapImsToken(this IEndpointRouteBuilder api) =>
        api.MapPost("ims-token", IssueAsync)
            .RequireAntiforgeryToken()
            .RequirePasskey()
            .RequireRateLimiting(Limits.ImsTokens)
            .WithMetadata(
                new SessionRequired(), new Counted((telemetry, outcome) => telemetry.CountImsToken(outcome), TokenRefusals.Log));

    private static async Task<IResult> IssueAsync(
        HttpContext context, SessionIdentities identities, GuestIdentities guests, WafClient waf, SessionRevocations revocations,
        AuditLog audit, WwsfSettings settings)
    {
        var session = WebSession.From(context.User)!;
        var (identity, problem) = session.User is { } user
            ? (await identities.OfUserAsync(user), Problem.NoSubscription)
            : await guests.AssignAsync(session, context.GuestCaller(), context.RequestAborted);
        if (identity is null) return problem!;

        var answer = await waf.RequestRegistrationTokenAsync(session.Sid, identity, context.RequestAborted);
        if (answer.Token is not { } token) return answer.Problem!;

        revocations.SetRegistrationTokenIssued(TimeSpan.FromSeconds(token.ExpiresIn));
        problem = session.User is null ? await guests.ExtendAsync(session, TimeSpan.FromSeconds(token.ExpiresIn)) : null;
        if (problem is null) audit.LogRegistrationTokenIssued(session.KindForPeople, session.Pseudonym, token.ExpiresIn);
        return problem ?? (IResult)TypedResults.Ok(new ImsTokenAnswer(
            token.AccessToken!, token.ExpiresIn, identity.Impu, identity.Impi, identity.DisplayName,
            $"sip:{settings.HomeDomain}", settings.HomeDomain, WebSocketPath));
    }
}
