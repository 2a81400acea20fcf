using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using OpenIddict.Server;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>Client registration: RFC 7591 §3, and RFC 7592 §2 for registered clients.</summary>
internal static class RegistrationRoutes
{
    public const string Path = "/oauth2/register";

    public static void MapClientRegistration(this WebApplication app)
    {
        app.MapPost(Path, (HttpContext context, RegistrationEndpoint endpoint) => endpoint.RegisterAsync(context));
        const string client = Path + "/{clientId}";
        app.MapGet(client, (HttpContext context, string clientId, RegistrationEndpoint endpoint) => endpoint.ReadAsync(context, clientId));
        app.MapPut(
            client, (HttpContext context, string clientId, RegistrationEndpoint endpoint) => endpoint.UpdateAsync(context, clientId));
        app.MapDelete(
            client, (HttpContext context, string clientId, RegistrationEndpoint endpoint) => endpoint.DeleteAsync(context, clientId));
    }
}

/// <param name="Issuer">The address of this server; null for that of each request.</param>
internal sealed record RegistrationEndpointSettings(Uri? Issuer);

/// <summary>Serves the requests, once their bearer token is authenticated. All tokens that are not valid get one response.</summary>
internal sealed class RegistrationEndpoint(
    ClientRegistry registry, ClientManager clients, FailedAuthentications failures, RegistrationEndpointSettings settings,
    IOptionsMonitor<OpenIddictServerOptions> server, TimeProvider time, IConnectionMultiplexer? redis = null)
{
    private const string InvalidClientMetadata = "invalid_client_metadata";

    // Guesses of initial access tokens are counted under this name. It has a space, which names of clients do not have here.
    private const string Registration = "initial access token";

    private static readonly TimeSpan RedisWait = TimeSpan.FromSeconds(2);
    private static readonly string[] ServerFields =
        ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

    public Task<IResult> RegisterAsync(HttpContext context) =>
        AuthenticateAsync(context, Registration, registry.FindInitialAccessTokenAsync, async (token, _) =>
        {
            var (metadata, problem) = await ReadMetadataAsync(context, ClientRegistry.CeilingOf(token));
            if (metadata is null) return problem;
            return await registry.RegisterAsync(token, metadata, CallerAddress.Of(context)) is { } registered
                ? Describe(context, registered, StatusCodes.Status201Created)
                : null;
        });

    public Task<IResult> ReadAsync(HttpContext context, string clientId) =>
        AuthenticateAsync(context, clientId, token => registry.FindAsync(clientId, token), (client, token) =>
            Task.FromResult<IResult?>(Describe(context, new ClientInformation(
                client.ClientId, ClientSecret: null, token, client.Registration.RegisteredAt, ClientRegistry.MetadataOf(client)))));

    public Task<IResult> UpdateAsync(HttpContext context, string clientId) =>
        AuthenticateAsync(context, clientId, token => registry.FindAsync(clientId, token), async (client, _) =>
        {
            var (metadata, problem) = await ReadMetadataAsync(
                context, client.Registration.Ceiling, body => FindUpdateProblemAsync(client, body));
            if (metadata is null) return problem;
            return await registry.UpdateAsync(client, metadata, CallerAddress.Of(context)) is { } updated
                ? Describe(context, updated)
                : null;
        });

    /// <summary>Ends the tokens of the client, and then the client.</summary>
    public Task<IResult> DeleteAsync(HttpContext context, string clientId) =>
        AuthenticateAsync(context, clientId, token => registry.FindAsync(clientId, token), async (client, _) =>
        {
            if (!await TryRevokeAsync(clientId))
            {
                context.Response.Headers.RetryAfter = Seconds(RedisWait);
                return Error(
                    StatusCodes.Status503ServiceUnavailable, Errors.TemporarilyUnavailable, "The TURN servers cannot be notified now.");
            }

            return await registry.DeleteAsync(client.Application, client.ClientId, CallerAddress.Of(context)) ? Results.NoContent() : null;
        });

    private static string Seconds(TimeSpan time) => Math.Ceiling(time.TotalSeconds).ToString(CultureInfo.InvariantCulture);

    private static IResult Error(int status, string error, string description) => Results.Json(
        new JsonObject { [Parameters.Error] = error, [Parameters.ErrorDescription] = description }, statusCode: status);

    private async Task<IResult> AuthenticateAsync<T>(
        HttpContext context, string name, Func<string, Task<T?>> find, Func<T, string, Task<IResult?>> serve)
        where T : class
    {
        context.Response.Headers.CacheControl = "no-store";
        var address = CallerAddress.Of(context);
        if (failures.Wait(address, name) is { } wait)
        {
            context.Response.Headers.RetryAfter = Seconds(wait);
            return Error(StatusCodes.Status429TooManyRequests, Errors.TemporarilyUnavailable, "Too many tokens were not valid.");
        }

        var token = BearerToken.Read(context.Request);
        if (token is not null && await find(token) is { } found && await serve(found, token) is { } response) return response;
        failures.Add(address, name);
        // The time must not show whether the client is known.
        await clients.HashInVainAsync(token);
        context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        return Error(StatusCodes.Status401Unauthorized, Errors.InvalidToken, "The token is missing or not valid.");
    }

    private async Task<(ClientMetadata? Metadata, IResult? Problem)> ReadMetadataAsync(
        HttpContext context, ClientLimits ceiling, Func<JsonElement, Task<string?>>? findProblem = null)
    {
        var (body, status, problem) = await JsonBody.ReadAsync(context.Request);
        if (body is not { } fields) return (null, Error(status, InvalidClientMetadata, problem));
        if (findProblem is not null && await findProblem(fields) is { } other)
            return (null, Error(StatusCodes.Status400BadRequest, InvalidClientMetadata, other));
        var (metadata, wrong) = ClientMetadata.Read(fields, ceiling, server.CurrentValue.ClientAuthenticationMethods);
        return (metadata, wrong is null ? null : Error(StatusCodes.Status400BadRequest, InvalidClientMetadata, wrong));
    }

    // RFC 7592 §2.2: an update names its client, and cannot choose the secret or the fields of the server.
    private async Task<string?> FindUpdateProblemAsync(StoredClient client, JsonElement body)
    {
        if (Array.Find(ServerFields, field => body.TryGetProperty(field, out _)) is { } field) return $"{field} must not be sent.";
        if (!body.TryGetProperty("client_id", out var id) || id.ValueKind != JsonValueKind.String || !id.ValueEquals(client.ClientId))
            return "client_id must be that of the client.";
        return body.TryGetProperty("client_secret", out var secret)
            && !(secret.ValueKind == JsonValueKind.String && await registry.HasSecretAsync(client, secret.ToString()))
            ? "client_secret must be that of the client; it cannot be chosen."
            : null;
    }

    private IResult Describe(HttpContext context, ClientInformation client, int status = StatusCodes.Status200OK)
    {
        var request = context.Request;
        var server = settings.Issuer ?? new Uri($"{request.Scheme}://{request.Host}{request.PathBase}/");
        var address = new Uri($"{server.AbsoluteUri.TrimEnd('/')}{RegistrationRoutes.Path}/{client.ClientId}");
        return Results.Json(RegistrationResponse.Create(client, address), statusCode: status);
    }

    private async Task<bool> TryRevokeAsync(string clientId)
    {
        // Without Redis there is no revocation. The tokens of the client end by themselves.
        if (redis is null) return true;
        try
        {
            // The revocation is also for tokens made while the client is deleted. Afterwards none is left, and Redis may be gone.
            var now = time.GetUtcNow();
            var until = now + ClientRegistry.DeletionLimit + TokenLimits.LongestLifetime;
            await TurnRevocations.WriteAsync(redis.GetDatabase(), TurnRevocations.OfClient(clientId), until, now);
            return true;
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            return false;
        }
    }
}
