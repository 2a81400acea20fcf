using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Tokens;

/// <summary>Logs why a session, or a caller without one, gets no token.</summary>
internal static class TokenRefusals
{
    public static void Log(HttpContext context, string endpoint, Problem problem)
    {
        var log = context.RequestServices.GetRequiredService<AuditLog>();
        if (WebSession.From(context.User) is { } session)
            log.LogRequestRefused(endpoint, session.KindForPeople, session.Pseudonym, problem.Status, problem.Code, problem.Title);
        else
            log.LogStrangerRefused(endpoint, problem.Status, problem.Code, problem.Title);
    }
}
