using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>Response of <c>GET /api/sessions</c>, the last used session first.</summary>
internal sealed record OtherSessionsAnswer(IReadOnlyList<OtherSession> Sessions);

/// <summary>A session in the response of <c>GET /api/sessions</c>.</summary>
/// <param name="Id">Names the session in <c>DELETE /api/sessions/{id}</c>.</param>
/// <param name="BeganAt">The log-in.</param>
/// <param name="UsedAt">The last use, to the minute.</param>
internal sealed record OtherSession(string Id, DateTimeOffset BeganAt, DateTimeOffset UsedAt);

/// <summary>
/// <c>/api/sessions</c>: the other sessions of the user, such as on a device that was lost. A user can end one of them or all,
/// soon after a log-in (ASVS 7.5.2).
/// A guest has no other session.
/// </summary>
internal static class OtherSessions
{
    public static void MapOtherSessions(this IEndpointRouteBuilder api)
    {
        var sessions = api.MapGroup("sessions").RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins)
            .WithMetadata(new SessionRequired());
        sessions.MapGet("", ListAsync);
        var ends = sessions.MapGroup("").RequireRecentLogIn();
        ends.MapDelete("", (HttpContext context, SessionEnd end) => EndAsync(context, end, isMeant: null));
        ends.MapDelete("{id}", (string id, HttpContext context, SessionEnd end) =>
            EndAsync(context, end, session => Pseudonym.Of(session.Sid) == id));
    }

    private static async Task<IResult> ListAsync(HttpContext context, SessionRecords records)
    {
        var others = await records.FindOthersAsync(WebSession.From(context.User)!);
        return TypedResults.Ok(new OtherSessionsAnswer(
            [.. others.Select(other => new OtherSession(Pseudonym.Of(other.Sid), other.BeganAt, other.UsedAt))]));
    }

    private static async Task<IResult> EndAsync(HttpContext context, SessionEnd end, Predicate<OwnSession>? isMeant)
    {
        await end.EndOthersAsync(WebSession.From(context.User)!, EndReason.EndedByUser, isMeant);
        return TypedResults.NoContent();
    }
}
