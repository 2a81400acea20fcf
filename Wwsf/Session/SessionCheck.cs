using Microsoft.AspNetCore.Authentication;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Session;

/// <summary>Endpoint metadata: nobody gets here without a session.</summary>
/// <param name="Step">The step of figure X.5.3.2-1 that the check is, where it is one.</param>
internal sealed record SessionRequired(int? Step = null);

/// <summary>
/// Step 3 of figure X.5.3.2-1: the WWSF authenticates the user, or, for an anonymous session, lets the page through (NOTE 4).
/// </summary>
internal static class SessionCheck
{
    /// <summary>Goes before the authentication middleware, so that the check's time is seen in the step's span.</summary>
    public static void UseSessionCheck(this WebApplication app) => app.Use(async (context, next) =>
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<SessionRequired>() is { } required && await CheckAsync(context, required) is { } problem)
            await problem.ExecuteAsync(context);
        else
            await next(context);
    });

    private static async Task<Problem?> CheckAsync(HttpContext context, SessionRequired required)
    {
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        var start = time.GetTimestamp();
        using var step = required.Step is { } number ? WwsfTracing.StartStep(number, "check session") : WwsfTracing.Start("check session");
        var result = await context.AuthenticateAsync(SessionCookie.Scheme);
        context.Features.Set(new SessionCheckTime(time.GetElapsedTime(start)));
        if (result.Succeeded)
        {
            if (step is not null && WebSession.From(result.Principal) is { } session)
            {
                step.SetTag("wwsf.session.kind", session.Kind);
                step.SetTag("enduser.pseudo.id", session.Pseudonym);
            }
            // Limits go by session, and come before the authentication middleware.
            context.User = result.Principal;
            return null;
        }

        var problem = context.HasSessionCookie() ? Problem.SessionExpired : Problem.NotSignedIn;
        step.Fail(problem.Code);
        return problem;
    }
}
