using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;
using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Administration;

/// <summary>A token to create. By default it may be used once within a day, for all TURN servers and no identities.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record InitialAccessTokenRequest(
    string? Name = null, int? Uses = null, TimeSpan? Lifetime = null, List<string>? Scopes = null, List<string>? Audiences = null,
    List<string>? Impus = null, string? Wwsf = null, TimeSpan? MaxTokenLifetime = null, int? RequestsPerMinute = null)
{
    public InitialAccessTokenSettings ToSettings(string token, IEnumerable<string> turnServers)
    {
        var defaults = new InitialAccessTokenSettings();
        return new()
        {
            Name = Name ?? $"token-{BearerToken.Hash(token)[..8]}",
            Token = new Redacted<string>(token),
            Uses = Uses ?? defaults.Uses,
            Lifetime = Lifetime ?? defaults.Lifetime,
            Scopes = Scopes ?? [],
            Audiences = Audiences is { Count: > 0 } ? Audiences : [.. turnServers],
            Impus = Impus ?? [],
            Wwsf = Wwsf,
            MaxTokenLifetime = MaxTokenLifetime,
            RequestsPerMinute = RequestsPerMinute,
        };
    }
}

/// <summary>A new initial access token. The store has only its hash, so this response is the only place that shows it.</summary>
internal sealed record NewInitialAccessToken(string Name, string Token, int Uses, DateTimeOffset ExpiresAt)
{
    public override string ToString() => "***";
}

/// <param name="Name">The audit names it so.</param>
/// <param name="UsesLeft">How many clients may still be registered with it.</param>
/// <param name="CreatedAt">When it was written into the store.</param>
/// <param name="ExpiresAt">When it can no longer be used.</param>
/// <param name="Limits">The most that its clients may get.</param>
internal sealed record InitialAccessTokenView(
    string Name, int UsesLeft, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, ClientLimits Limits)
{
    public static InitialAccessTokenView Of(InitialAccessToken token) => new(
        token.Name, Math.Max(0, token.UsesLeft), DateTimeOffset.FromUnixTimeSeconds(token.CreatedAt),
        DateTimeOffset.FromUnixTimeSeconds(token.ExpiresAt), ClientRegistry.CeilingOf(token));
}

/// <summary><c>/admin/initial-access-tokens</c>.</summary>
internal static class InitialAccessTokenAdministration
{
    private const string Path = "/initial-access-tokens";

    // The end of a longer one may not be a date.
    private static readonly TimeSpan LongestLifetime = TimeSpan.FromDays(3650);

    public static void MapInitialAccessTokens(this IEndpointRouteBuilder admin)
    {
        admin.MapPost(Path, CreateAsync)
            .WithSummary("Creates an initial access token, with which clients register themselves. It is shown once.");
        admin.MapGet(Path, ListAsync).WithSummary("Lists initial access tokens, without the tokens themselves.");
        admin.MapDelete(Path + "/{name}", RevokeAsync).WithSummary("Ends an initial access token. Its clients stay.");
    }

    private static async Task<Results<Created<NewInitialAccessToken>, ProblemHttpResult>> CreateAsync(
        InitialAccessTokenRequest request, HttpContext context, WafDatabase store, AuditLog audit, TimeProvider time,
        IReadOnlyList<TurnServerSettings> turnServers)
    {
        var (token, names, now) = (BearerToken.Create(), turnServers.Select(server => server.Name).ToList(), time.GetUtcNow());
        var settings = request.ToSettings(token, names);
        if (settings.Problems(names).FirstOrDefault() is { } problem) return AdminProblem.Invalid($"{problem}.");
        if (settings.Lifetime > LongestLifetime) return AdminProblem.Invalid($"Lifetime must be at most {LongestLifetime:c}.");
        if (!AdminProblem.IsName(settings.Name, settings.Name.Length))
            return AdminProblem.Invalid("Name must not have control characters.");
        if (await Usable(store, now).AnyAsync(row => row.Name == settings.Name))
            return AdminProblem.Conflict($"There is a token {settings.Name} that can be used. Revoke it, or choose another name.");
        var caller = Operator.Of(context);
        var entry = audit.Create(caller.Name, AuditAction.InitialAccessTokenCreated, settings.Name, caller.Address);
        store.Add(InitialAccessTokenProvisioning.ToRow(settings, now, fromSettings: false));
        store.Add(entry);
        await store.SaveChangesAsync();
        audit.Log(entry);
        return TypedResults.Created(
            (string?)null, new NewInitialAccessToken(settings.Name, token, settings.Uses, now + settings.Lifetime));
    }

    private static async Task<Ok<List<InitialAccessTokenView>>> ListAsync(WafDatabase store, CancellationToken cancellationToken)
    {
        var rows = await store.InitialAccessTokens.AsNoTracking().OrderBy(row => row.CreatedAt).ThenBy(row => row.Name)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(rows.ConvertAll(InitialAccessTokenView.Of));
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> RevokeAsync(
        string name, HttpContext context, ClientRegistry registry, AuditLog audit)
    {
        var caller = Operator.Of(context);
        var entry = audit.Create(caller.Name, AuditAction.InitialAccessTokenRevoked, name, caller.Address);
        return AdminProblem.IsName(name, InitialAccessTokenSettings.MaxNameLength)
            && await registry.RevokeInitialAccessTokenAsync(name, entry)
            ? TypedResults.NoContent()
            : AdminProblem.NotFound($"There is no initial access token {name} that can be used.");
    }

    private static IQueryable<InitialAccessToken> Usable(WafDatabase store, DateTimeOffset now)
    {
        var seconds = now.ToUnixTimeSeconds();
        return store.InitialAccessTokens.Where(row => row.UsesLeft > 0 && row.ExpiresAt > seconds);
    }
}
