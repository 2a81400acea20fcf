using Microsoft.AspNetCore.Http.HttpResults;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;
using WebRtcIms.Contracts;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;

namespace WebRtcIms.Waf.Administration;

/// <summary>A client as operators see it, without its secret.</summary>
/// <param name="ClientId">The name with which it authenticates.</param>
/// <param name="Name">The name that it gave itself.</param>
/// <param name="Source"><c>settings</c>, or <c>registration</c> for a client that registered itself.</param>
/// <param name="AuthenticationMethod">token_endpoint_auth_method of a client that registered itself.</param>
/// <param name="RegisteredAt">When it registered itself.</param>
/// <param name="InitialAccessToken">The name of the token with which it did.</param>
/// <param name="Limits">The most that it may get.</param>
internal sealed record ClientView(
    string ClientId, string? Name, string Source, string? AuthenticationMethod, DateTimeOffset? RegisteredAt, string? InitialAccessToken,
    ClientLimits Limits)
{
    public static ClientView Of(OpenIddictApplicationDescriptor client)
    {
        var registration = RegistrationEntry.Of(client);
        var method = ClientAuthentication.Of(client.Properties.AsReadOnly(), client.ClientSecret is not null).Methods[0];
        return new ClientView(
            client.ClientId!, client.DisplayName, registration is null ? "settings" : "registration", registration is null ? null : method,
            registration is null ? null : DateTimeOffset.FromUnixTimeSeconds(registration.RegisteredAt), registration?.InitialAccessToken,
            ClientLimits.Of(client.Properties.AsReadOnly()));
    }
}

/// <summary><c>/admin/clients</c>.</summary>
internal static class ClientAdministration
{
    private const int MaxClients = 1000;

    public static void MapClients(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/clients", ListAsync).WithSummary("Lists clients, in pages.");
        admin.MapGet("/clients/{clientId}", ReadAsync).WithSummary("Reads a client.");
        admin.MapDelete("/clients/{clientId}", DeleteAsync).WithSummary("Revokes the tokens of a registered client, and deletes it.");
    }

    private static async Task<Results<Ok<List<ClientView>>, ProblemHttpResult>> ListAsync(
        ClientManager clients, CancellationToken cancellationToken, int limit = 100, int offset = 0)
    {
        if (limit is < 1 or > MaxClients || offset < 0)
            return AdminProblem.Invalid($"limit must be a number from 1 to {MaxClients}, and offset one from 0.");
        List<ClientView> views = [];
        await foreach (var client in clients.ListAsync(limit, offset, cancellationToken)) views.Add(await DescribeAsync(clients, client));
        return TypedResults.Ok(views);
    }

    private static async Task<Results<Ok<ClientView>, ProblemHttpResult>> ReadAsync(string clientId, ClientManager clients) =>
        await FindAsync(clients, clientId) is { } client ? TypedResults.Ok(await DescribeAsync(clients, client)) : NotFound(clientId);

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        string clientId, HttpContext context, ClientManager clients, ClientRegistry registry, Revoker revoker,
        IReadOnlyList<ClientSettings> settings)
    {
        if (await FindAsync(clients, clientId) is not { } client) return NotFound(clientId);
        if (settings.Any(known => known.ClientId == clientId))
            return AdminProblem.Conflict(
                $"The client {clientId} is in the settings, and the next start would create it again. Remove it there.");
        var caller = Operator.Of(context);
        var retention = ClientRegistry.DeletionLimit + TokenLimits.LongestLifetime;
        if (revoker.HasRedis && !await revoker.TryRevokeAsync(TurnRevocations.OfClient(clientId), retention)) return AdminProblem.RedisAway;
        if (!await registry.DeleteAsync(client, caller.Name, caller.Address))
            return AdminProblem.Conflict("The client was changed meanwhile.");
        return TypedResults.NoContent();
    }

    private static async Task<OpenIddictEntityFrameworkCoreApplication?> FindAsync(ClientManager clients, string clientId) =>
        AdminProblem.IsName(clientId, ClientSettings.MaxClientIdLength) ? await clients.FindForUpdateAsync(clientId) : null;

    private static async Task<ClientView> DescribeAsync(ClientManager clients, OpenIddictEntityFrameworkCoreApplication client)
    {
        var descriptor = new OpenIddictApplicationDescriptor();
        await clients.PopulateAsync(descriptor, client);
        return ClientView.Of(descriptor);
    }

    private static ProblemHttpResult NotFound(string clientId) => AdminProblem.NotFound($"There is no client {clientId}.");
}
