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
/// <c>/api/sessions</c>: the other sessions of the user, such as on a device that was lost. A user can end one of them or all.
/// A guest has no other session.
/// </summary>
internal static class OtherSessions
{
    public static void MapOtherSessions(this IEndpointRouteBuilder api)
    {
        var sessions = api.MapGroup("sessions").RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins)
            .WithMetadata(new SessionRequired());
        sessions.MapGet("", ListAsync);
        sessions.MapDelete("", (HttpContext context, SessionRecords records, SessionEnd end) => EndAsync(context, records, end, _ => true));
        sessions.MapDelete("{id}", (string id, HttpContext context, SessionRecords records, SessionEnd end) =>
            EndAsync(context, records, end, session => Pseudonym.Of(session.Sid) == id));
    }

    private static async Task<IResult> ListAsync(HttpContext context, SessionRecords records)
    {
        var others = await records.FindOthersAsync(WebSession.From(context.User)!);
        return TypedResults.Ok(new OtherSessionsAnswer(
            [.. others.Select(other => new OtherSession(Pseudonym.Of(other.Sid), other.BeganAt, other.UsedAt))]));
    }

    private static async Task<IResult> EndAsync(
        HttpContext context, SessionRecords records, SessionEnd end, Predicate<OwnSession> isMeant)
    {
        var current = WebSession.From(context.User)!;
        foreach (var other in (await records.FindOthersAsync(current)).Where(other => isMeant(other)))
            await end.EndAsync(current with { Sid = other.Sid }, EndReason.EndedByUser);
        return TypedResults.NoContent();
    }
}
