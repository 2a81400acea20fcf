using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>Body of <c>POST /api/password</c>.</summary>
internal sealed record PasswordRequest(string? CurrentPassword, string? NewPassword)
{
    public override string ToString() => nameof(PasswordRequest);
}

/// <summary>
/// <c>POST /api/password</c>: the user replaces the password. It needs a recent log-in and the current password, whose failures count like
/// those of a log-in. All other sessions of the user end.
/// </summary>
internal static class PasswordEndpoint
{
    private const string Way = "change of password";

    public static void MapPassword(this IEndpointRouteBuilder api) =>
        api.MapPost("password", ChangeAsync)
            .RequireAntiforgeryToken()
            .RequireRecentLogIn()
            .RequireRateLimiting(Limits.Logins)
            .WithMetadata(new SessionRequired());

    private static async Task<IResult> ChangeAsync(
        PasswordRequest passwords, HttpContext context, UserManager<User> users, PasswordCheck check, PasswordChange change,
        SessionRecords records, SessionEnd end, AuditLog audit)
    {
        if (passwords is not { CurrentPassword: { Length: > 0 } current, NewPassword: { Length: > 0 } next }) return Problem.InvalidRequest;
        if (Math.Max(current.Length, next.Length) > SessionEndpoints.MaxPasswordLength) return Problem.InvalidRequest;
        var session = WebSession.From(context.User)!;
        if (session.User is not { } name || await users.FindByNameAsync(name) is not { PasswordHash: not null } user)
            return Problem.NoPassword;

        if (SessionEndpoints.ProblemOf(await check.CheckAsync(context, name, current)) is { } problem)
        {
            audit.Refused(user.Id, Way, problem.Code, CallerAddress.Of(context));
            return problem == Problem.LoginFailed ? Problem.WrongPassword : problem;
        }

        var outcome = await change.ChangeAsync(user, next, changed => records.KeepAsync(session, changed), context.RequestAborted);
        if (outcome == PasswordChangeOutcome.Weak) return Problem.WeakPassword;
        if (outcome == PasswordChangeOutcome.Busy) return Problem.TooBusy;
        audit.PasswordChanged(user.Id, CallerAddress.Of(context));
        await end.EndOthersAsync(session, EndReason.PasswordChanged);
        return TypedResults.NoContent();
    }
}
