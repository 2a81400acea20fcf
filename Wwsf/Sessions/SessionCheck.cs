using Microsoft.AspNetCore.Authentication;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>Endpoint metadata: the endpoint needs a session.</summary>
/// <param name="Step">The step of figure X.5.3.2-1 that the check is, if it is one.</param>
internal sealed record SessionRequired(int? Step = null);

/// <summary>Request feature: how long the check took.</summary>
internal sealed record SessionCheckTime(TimeSpan Elapsed);

/// <summary>Step 3 of figure X.5.3.2-1: the WWSF authenticates the user. An anonymous session passes without a user (NOTE 4).</summary>
internal static class SessionCheck
{
    /// <summary>Must run before the authentication middleware, so that the span of the step covers the check.</summary>
    public static void UseSessionCheck(this WebApplication app) => app.Use(async (context, next) =>
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<SessionRequired>() is { } required
            && await CheckAsync(context, required) is { } problem)
            await problem.ExecuteAsync(context);
        else
            await next(context);
    });

    private static async Task<Problem?> CheckAsync(HttpContext context, SessionRequired required)
    {
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        var start = time.GetTimestamp();
        const string name = "check session";
        using var step = required.Step is { } number ? WwsfTelemetry.StartStep(number, name) : WwsfTelemetry.Start(name);
        var result = await context.AuthenticateAsync(SessionCookie.Scheme);
        context.Features.Set(new SessionCheckTime(time.GetElapsedTime(start)));
        if (result.Succeeded)
        {
            if (step is not null && WebSession.From(result.Principal) is { } session)
            {
                step.SetTag("wwsf.session.kind", session.Kind);
                step.SetTag("enduser.pseudo.id", session.Pseudonym);
            }
            // The rate limiter needs the session and runs before the authentication middleware.
            context.User = result.Principal;
            return null;
        }

        var problem = context.HasSessionCookie() ? Problem.SessionExpired : Problem.NotSignedIn;
        WwsfTelemetry.Fail(step, problem.Code);
        return problem;
    }
}
