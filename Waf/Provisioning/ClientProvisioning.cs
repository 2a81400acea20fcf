using System.Text.Json;
using OpenIddict.Abstractions;
using WebRtcIms.Stores;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Stores;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Provisioning;

/// <summary>
/// Creates the store before the first request, and writes the clients of the configuration into it. A secret that has not changed is not
/// hashed again. <see cref="RemovedClients"/> deletes those that the configuration does not name any more.
/// </summary>
internal sealed class ClientProvisioning(IServiceScopeFactory scopes, IReadOnlyList<ClientSettings> clients, StoreSettings settings)
    : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
        var applications = scope.ServiceProvider.GetRequiredService<ClientManager>();
        await store.MigrateAsync(settings, cancellationToken, async () =>
        {
            foreach (var client in clients) await ProvisionAsync(applications, client, cancellationToken);
        });
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public static async Task ProvisionAsync(
        ClientManager applications, ClientSettings client, CancellationToken cancellationToken)
    {
        var wanted = Describe(client);
        var existing = await applications.FindForUpdateAsync(client.ClientId, cancellationToken);
        if (existing is null)
        {
            await applications.CreateAsync(wanted, cancellationToken);
            return;
        }

        var current = new OpenIddictApplicationDescriptor();
        await applications.PopulateAsync(current, existing, cancellationToken);
        var hasSecret = current.ClientSecret is not null && wanted.ClientSecret is not null
            && await applications.ValidateClientSecretAsync(existing, wanted.ClientSecret, cancellationToken);
        if (hasSecret && current.JsonWebKeySet is null && current.Permissions.SetEquals(wanted.Permissions)
            && HasSameProperties(current, wanted)) return;

        // A descriptor that carries the stored hash leaves the secret as it is.
        if (hasSecret) wanted.ClientSecret = current.ClientSecret;
        await applications.UpdateAsync(existing, wanted, cancellationToken);
    }

    private static bool HasSameProperties(OpenIddictApplicationDescriptor current, OpenIddictApplicationDescriptor wanted) =>
        wanted.Properties.All(property =>
            current.Properties.TryGetValue(property.Key, out var value) && JsonElement.DeepEquals(value, property.Value));

    // OpenIddict requires a credential that it knows. A client with a certificate gets a random secret, which is never sent.
    private static string SecretOf(ClientSettings client) =>
        client.CertificateSha256 is null ? client.ClientSecret : GeneratedSecret.Create();

    private static OpenIddictApplicationDescriptor Describe(ClientSettings client)
    {
        var descriptor = new OpenIddictApplicationDescriptor
        {
            ClientId = client.ClientId,
            ClientSecret = client.Jwks is null ? SecretOf(client) : null,
            JsonWebKeySet = client.Jwks is { } keys ? ClientSettings.PublicKeys(keys) : null,
            ClientType = ClientTypes.Confidential,
        };
        client.Authentication.ApplyTo(descriptor);
        new ClientLimits
        {
            Scopes = [.. Contracts.Scopes.Of(registers: client.Impus.Count > 0)],
            Audiences = client.Audiences,
            Impus = client.Impus,
        }.ApplyTo(descriptor);
        return descriptor;
    }
}
