using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Administration;

/// <summary>Names what is revoked: one of a token, a key, a client, a session, or all.</summary>
/// <param name="Token">A TURN token of this server.</param>
/// <param name="Kid">A long-term key; or with <paramref name="TokenId"/> the key of a token.</param>
/// <param name="TokenId">base64url of the nonce of a token, as the audit has it.</param>
/// <param name="ClientId">A client, whose tokens until now are revoked.</param>
/// <param name="Session">The pseudonym of a session at a WWSF, the <c>sid</c> of its token requests.</param>
/// <param name="All">All tokens until now.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record RevocationRequest(
    string? Token = null, string? Kid = null, string? TokenId = null, string? ClientId = null, string? Session = null, bool All = false)
{
    private const int MaxLength = 128;

    public override string ToString() => nameof(RevocationRequest);

    /// <summary>Null unless the request names exactly one of these.</summary>
    public Revocation? Read(TokenIssuer issuer)
    {
        string?[] names = [Token, Kid, ClientId, Session, All ? TurnRevocations.All : null];
        if (names.Count(name => name is not null) != 1 || (TokenId is not null && Kid is null)) return null;
        if (Token is not null) return issuer.Identify(Token) is { } token ? OfToken(token.Kid, token.TokenId) : null;
        if (Kid is not null && TokenId is not null) return AreNames(MaxLength, Kid, TokenId) ? OfToken(Kid, TokenId) : null;
        if (Kid is not null)
        {
            return AreNames(MaxLength, Kid)
                ? new(TurnRevocations.OfKey(Kid), TokenLimits.RevokedKeyRetention, AuditAction.KeyRevoked, Kid) : null;
        }

        if (ClientId is not null)
        {
            return AreNames(ClientSettings.MaxClientIdLength, ClientId)
                ? new(TurnRevocations.OfClient(ClientId), TokenLimits.LongestLifetime, AuditAction.ClientRevoked, ClientId) : null;
        }

        if (Session is not null)
        {
            return AreNames(MaxLength, Session)
                ? new(TurnRevocations.OfSession(Session), TokenLimits.LongestLifetime, AuditAction.SessionRevoked, Session) : null;
        }

        return new(TurnRevocations.All, TokenLimits.LongestLifetime, AuditAction.AllRevoked, TurnRevocations.All);
    }

    private static Revocation OfToken(string kid, string tokenId) => new(
        TurnRevocations.OfToken(kid, tokenId), TokenLimits.LongestLifetime, AuditAction.TokenRevoked, $"{kid}:{tokenId}");

    private static bool AreNames(int maxLength, params string[] texts) => texts.All(text => AdminProblem.IsName(text, maxLength));
}

/// <param name="Name">See <see cref="TurnRevocations"/>.</param>
/// <param name="Retention">How long it is kept.</param>
/// <param name="Action">For the audit.</param>
/// <param name="Subject">Also for the audit.</param>
internal sealed record Revocation(string Name, TimeSpan Retention, string Action, string Subject);

/// <summary><c>/admin/revocations</c>.</summary>
internal static class RevocationAdministration
{
    public static void MapRevocations(this IEndpointRouteBuilder admin) =>
        admin.MapPost("/revocations", RevokeAsync)
            .WithSummary("Revokes a token, a key, the tokens of a client or a session, or all tokens.");

    private static async Task<Results<NoContent, ProblemHttpResult>> RevokeAsync(
        RevocationRequest request, HttpContext context, TokenIssuer issuer, KeyRotation rotation, Revoker revoker, AuditLog audit)
    {
        if (request.Read(issuer) is not { } revocation)
            return AdminProblem.Invalid(
                "Give one of: a 'token' of this server, 'kid', 'kid' and 'token_id', 'client_id', 'session', or 'all': true.");
        var caller = Operator.Of(context);
        try
        {
            if (revocation.Action == AuditAction.KeyRevoked && await rotation.RevokeAsync(revocation.Subject, caller.Name))
                return TypedResults.NoContent();
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            return AdminProblem.RedisAway;
        }

        if (!revoker.HasRedis)
            return AdminProblem.Conflict("This server has no Redis in its settings, so it cannot notify the TURN servers.");
        if (!await revoker.TryRevokeAsync(revocation.Name, revocation.Retention)) return AdminProblem.RedisAway;
        audit.Add(caller.Name, revocation.Action, revocation.Subject, caller.Address);
        return TypedResults.NoContent();
    }
}
