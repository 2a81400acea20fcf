using System.Net;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Wwsf.Session;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Answer of <c>POST /api/ims-token</c>: the token for REGISTER and its lifetime in seconds, the identity to register, and where:
/// <c>sip_uri</c> is the request URI of REGISTER, <c>realm</c> the home domain, <c>websocket_path</c> on the page's own origin.
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
            .RequireRateLimiting(Limits.ImsTokens)
            .WithMetadata(new SessionRequired(), new Counted((metrics, outcome) => metrics.CountImsToken(outcome)));

    /// <summary>Whom a guest's identity counts for: the client's address; nobody on this machine, where demonstrations run.</summary>
    public static string? GuestCaller(this HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address) ? null : CallerAddress.Of(context);

    private static async Task<IResult> IssueAsync(HttpContext context, ImsIdentities identities, WafClient waf, WwsfSettings settings)
    {
        var session = WebSession.From(context.User)!;
        var (identity, problem) = await identities.AssignAsync(session, context.GuestCaller());
        if (identity is null) return problem!;

        var answer = await waf.RequestRegistrationTokenAsync(session.Sid, identity, context.RequestAborted);
        if (answer.Token is not { } token) return answer.Problem!;

        // Whoever has the token can be registered until it expires; until then the identity is nobody else's.
        (_, problem) = await identities.AssignAsync(session, context.GuestCaller(), TimeSpan.FromSeconds(token.ExpiresIn));
        return problem ?? (IResult)TypedResults.Ok(new ImsTokenAnswer(
            token.AccessToken!, token.ExpiresIn, identity.Impu, identity.Impi, identity.DisplayName,
            $"sip:{settings.HomeDomain}", settings.HomeDomain, WebSocketPath));
    }
}
