using System.Net;
using System.Net.Http.Headers;
using System.Text;
using OpenIddict.Abstractions;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Revocation;

/// <summary>
/// Token revocation (RFC 7009) for TURN tokens: what is revoked here ends at every TURN node at once. OpenIddict's own endpoint
/// knows only tokens that it stores, and ours are in nobody's store. It is there when there is Redis, which carries the word.
/// </summary>
internal static class RevocationEndpoint
{
    public const string Path = "/oauth2/revoke";

    private const string AllTokens = "all_tokens";

    public static void MapRevocation(this WebApplication app)
    {
        if (app.Services.GetService<IConnectionMultiplexer>() is not null) app.MapPost(Path, RevokeAsync).DisableAntiforgery();
    }

    private static async Task<IResult> RevokeAsync(
        HttpContext context, IOpenIddictApplicationManager applications, FailedAuthentications failures, TokenIssuer issuer,
        IConnectionMultiplexer redis, WafSettings settings, WafTelemetry telemetry, TimeProvider clock)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!context.Request.HasFormContentType) return Error(Errors.InvalidRequest, "Send a POST with a form.");
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (form.FirstOrDefault(parameter => parameter.Value.Count > 1).Key is { } twice)
            return Error(Errors.InvalidRequest, $"The parameter '{twice}' must be given once.");

        var (clientId, secret) = Credentials(context.Request, form);
        var address = CallerAddress.Of(context);
        if (failures.Wait(address, clientId) is { } wait) return TooManyFailures(context, wait);
        if (!await AuthenticateAsync(applications, settings, clientId, secret))
        {
            failures.Add(address, clientId);
            telemetry.Rejected(Errors.InvalidClient);
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"waf\"";
            return Error(Errors.InvalidClient, "The client is unknown, or its secret is wrong or missing.", StatusCodes.Status401Unauthorized);
        }

        try
        {
            if (form[AllTokens] == "true") return await RevokeClientAsync(clientId!, redis, telemetry, clock);
            return await RevokeTokenAsync(form[Parameters.Token], clientId!, issuer, redis, telemetry, clock);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            // RFC 7009 §2.2.1: the client is to assume that the token still lives, and to try again.
            context.Response.Headers.RetryAfter = "2";
            return Error(Errors.TemporarilyUnavailable, "The TURN servers cannot be told now. Try again.", StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<IResult> RevokeTokenAsync(
        string? text, string clientId, TokenIssuer issuer, IConnectionMultiplexer redis, WafTelemetry telemetry, TimeProvider clock)
    {
        if (string.IsNullOrEmpty(text)) return Error(Errors.InvalidRequest, "The parameter 'token' is missing.");
        if (text.Contains('.', StringComparison.Ordinal)) return Error(Errors.UnsupportedTokenType, "TURN tokens alone can be revoked; registration tokens end by themselves.");

        // RFC 7009 §2.2: a token that is none, or none any more, is as good as revoked.
        if (issuer.Identify(text) is not { } token || token.ExpiresAt <= clock.GetUtcNow()) return Results.Ok();
        if (await OwnerAsync(redis, token) is { } owner && owner != clientId) return Error(Errors.UnauthorizedClient, "The token was issued to another client.");
        await TurnRevocations.WriteAsync(redis.GetDatabase(), TurnRevocations.OfToken(token.Kid, token.TokenId), token.ExpiresAt, clock.GetUtcNow());
        telemetry.Revoked("token");
        return Results.Ok();
    }

    private static async Task<IResult> RevokeClientAsync(string clientId, IConnectionMultiplexer redis, WafTelemetry telemetry, TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        await TurnRevocations.WriteAsync(redis.GetDatabase(), TurnRevocations.OfClient(clientId), now + TokenLimits.LongestLifetime, now);
        telemetry.Revoked("client");
        return Results.Ok();
    }

    // The token does not say whose it is; the grant beside it does, as long as Redis has it.
    private static async Task<string?> OwnerAsync(IConnectionMultiplexer redis, TokenIdentity token)
    {
        var grant = await redis.GetDatabase().StringGetAsync(Grant.Key(token.Kid, token.TokenId));
        return grant.HasValue ? GrantStore.ClientIdIn((string)grant!) : null;
    }

    private static async Task<bool> AuthenticateAsync(IOpenIddictApplicationManager applications, WafSettings settings, string? clientId, string? secret)
    {
        if (string.IsNullOrEmpty(clientId) || string.IsNullOrEmpty(secret)) return false;
        var application = await applications.FindByClientIdAsync(clientId);

        // The time of the answer must not tell that there is no such client: hash the secret for one that there is.
        if ((application ?? await applications.FindByClientIdAsync(settings.Clients[0].ClientId)) is not { } hashed) return false;
        return await applications.ValidateClientSecretAsync(hashed, secret) && application is not null;
    }

    /// <summary>RFC 6749 §2.3.1: in the header, or in the form.</summary>
    private static (string? ClientId, string? Secret) Credentials(HttpRequest request, IFormCollection form)
    {
        if (!AuthenticationHeaderValue.TryParse(request.Headers.Authorization, out var header) || !string.Equals(header.Scheme, "Basic", StringComparison.OrdinalIgnoreCase))
            return (form[Parameters.ClientId], form[Parameters.ClientSecret]);
        var octets = new byte[header.Parameter?.Length ?? 0];
        if (!Convert.TryFromBase64String(header.Parameter ?? "", octets, out var length)) return default;
        return Encoding.UTF8.GetString(octets, 0, length).Split(':', 2) is [var id, var secret]
            ? (WebUtility.UrlDecode(id), WebUtility.UrlDecode(secret))
            : default;
    }

    private static IResult TooManyFailures(HttpContext context, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = FormattableString.Invariant($"{Math.Ceiling(wait.TotalSeconds)}");
        return Error(Errors.TemporarilyUnavailable, "This client failed to authenticate too often.", StatusCodes.Status429TooManyRequests);
    }

    private static IResult Error(string error, string description, int status = StatusCodes.Status400BadRequest) =>
        Results.Json(new Dictionary<string, string> { ["error"] = error, ["error_description"] = description }, statusCode: status);
}
