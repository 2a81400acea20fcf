using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Administration;

/// <param name="Id">Rises with each row.</param>
/// <param name="At">When the act was done.</param>
/// <param name="Actor">The client, initial access token or operator that acted.</param>
/// <param name="Action">The act, such as <c>token.issued</c>.</param>
/// <param name="Subject">The client, key, token or session that it concerns.</param>
/// <param name="Address">The address of the caller; null for acts of this process.</param>
internal sealed record AuditView(long Id, DateTimeOffset At, string Actor, string Action, string Subject, string? Address)
{
    public static AuditView Of(AuditEntry entry) =>
        new(entry.Id, DateTimeOffset.FromUnixTimeSeconds(entry.At), entry.Actor, entry.Action, entry.Subject, entry.Address);
}

/// <param name="Entries">The newest first.</param>
/// <param name="Next">The value of <c>before</c> for the next page; null at the end.</param>
internal sealed record AuditPage(IReadOnlyList<AuditView> Entries, long? Next);

/// <summary><c>/admin/audit</c>.</summary>
internal static class AuditAdministration
{
    private const int MaxRows = 1000;

    public static void MapAudit(this IEndpointRouteBuilder admin) =>
        admin.MapGet("/audit", ListAsync).WithSummary("Lists acts, the newest first, in pages. The filters must match exactly.");

    private static async Task<Results<Ok<AuditPage>, ProblemHttpResult>> ListAsync(
        WafDatabase store, CancellationToken cancellationToken, int limit = 100, long before = long.MaxValue, string? actor = null,
        string? action = null, string? subject = null)
    {
        if (limit is < 1 or > MaxRows) return AdminProblem.Invalid($"limit must be a number from 1 to {MaxRows}.");
        string?[] filters = [actor, action, subject];
        if (filters.Any(filter => filter?.Contains('\0', StringComparison.Ordinal) is true))
            return AdminProblem.Invalid("A filter has a NUL.");
        var rows = store.Audit.AsNoTracking().Where(entry => entry.Id < before);
        if (actor is not null) rows = rows.Where(entry => entry.Actor == actor);
        if (action is not null) rows = rows.Where(entry => entry.Action == action);
        if (subject is not null) rows = rows.Where(entry => entry.Subject == subject);
        // One more row says whether there is a next page.
        var found = await rows.OrderByDescending(entry => entry.Id).Take(limit + 1).ToListAsync(cancellationToken);
        var page = found.Take(limit).Select(AuditView.Of).ToList();
        return TypedResults.Ok(new AuditPage(page, found.Count > limit ? page[^1].Id : null));
    }
}
