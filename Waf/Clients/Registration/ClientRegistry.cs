using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Stores;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>
/// Registered clients in the store. Each change is one transaction with its audit entry. Null is the result where a token was used up or
/// rotated by another request meanwhile.
/// </summary>
internal sealed class ClientRegistry(WafDatabase store, ClientManager clients, AuditLog audit, TimeProvider time)
{
    private long Now => time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>The initial access token that may be used now; null for any other.</summary>
    public async Task<InitialAccessToken?> FindInitialAccessTokenAsync(string token)
    {
        var (hash, now) = (BearerToken.Hash(token), Now);
        return await store.InitialAccessTokens.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Hash == hash && row.UsesLeft > 0 && row.ExpiresAt > now);
    }

    /// <summary>Ends an initial access token. False when there is none of this name that can be used.</summary>
    public Task<bool> RevokeInitialAccessTokenAsync(string name, AuditEntry entry)
    {
        var now = Now;
        return InTransactionAsync(entry, async () =>
            await store.InitialAccessTokens.Where(row => row.Name == name && row.UsesLeft > 0 && row.ExpiresAt > now)
                .ExecuteUpdateAsync(row => row.SetProperty(ended => ended.UsesLeft, 0)) > 0);
    }

    public static ClientLimits CeilingOf(InitialAccessToken token) => JsonSerializer.Deserialize<ClientLimits>(token.Limits)!;

    public async Task<ClientInformation?> RegisterAsync(InitialAccessToken token, ClientMetadata metadata, string address)
    {
        var (clientId, accessToken, now) = (CreateClientId(), BearerToken.Create(), Now);
        var secret = metadata.HasSecret ? GeneratedSecret.Create() : null;
        var descriptor = new OpenIddictApplicationDescriptor
        {
            ClientId = clientId,
            ClientSecret = secret,
            ClientType = ClientTypes.Confidential,
        };
        Apply(metadata, descriptor);
        new RegistrationEntry(token.Name, now, metadata.AuthenticationMethod, BearerToken.Hash(accessToken), CeilingOf(token))
            .ApplyTo(descriptor);

        var entry = audit.Create(token.Name, AuditAction.ClientRegistered, clientId, address);
        var isRegistered = await InTransactionAsync(entry, async () =>
        {
            var used = await store.InitialAccessTokens
                .Where(row => row.Hash == token.Hash && row.UsesLeft > 0 && row.ExpiresAt > now)
                .ExecuteUpdateAsync(row => row.SetProperty(used => used.UsesLeft, used => used.UsesLeft - 1));
            if (used == 0) return false;
            await clients.CreateAsync(descriptor);
            return true;
        });
        return isRegistered ? new ClientInformation(clientId, secret, accessToken, now, metadata) : null;
    }

    /// <summary>The registered client with this registration access token; null for any other.</summary>
    public async Task<StoredClient?> FindAsync(string clientId, string accessToken)
    {
        // PostgreSQL refuses texts with a NUL.
        if (clientId.Length > ClientSettings.MaxClientIdLength || clientId.Any(char.IsControl)) return null;
        if (await clients.FindForUpdateAsync(clientId) is not { } application) return null;
        var descriptor = new OpenIddictApplicationDescriptor();
        await clients.PopulateAsync(descriptor, application);
        return RegistrationEntry.Of(descriptor) is { } registration && BearerToken.Verify(accessToken, registration.AccessTokenHash)
            ? new StoredClient(application, descriptor, registration)
            : null;
    }

    public static ClientMetadata MetadataOf(StoredClient client) => new(
        client.Descriptor.DisplayName, client.Registration.AuthenticationMethod, client.Descriptor.JsonWebKeySet,
        ClientLimits.Of(client.Descriptor.Properties.AsReadOnly()));

    public async Task<bool> HasSecretAsync(StoredClient client, string secret) =>
        client.Descriptor.ClientSecret is not null && await clients.ValidateClientSecretAsync(client.Application, secret);

    /// <summary>Replaces the metadata, and the registration access token.</summary>
    public async Task<ClientInformation?> UpdateAsync(StoredClient client, ClientMetadata metadata, string address)
    {
        var (descriptor, accessToken) = (client.Descriptor, BearerToken.Create());
        var secret = metadata.HasSecret && descriptor.ClientSecret is null ? GeneratedSecret.Create() : null;
        if (!metadata.HasSecret) descriptor.ClientSecret = null;
        else if (secret is not null) descriptor.ClientSecret = secret;
        Apply(metadata, descriptor);
        (client.Registration with
        {
            AuthenticationMethod = metadata.AuthenticationMethod,
            AccessTokenHash = BearerToken.Hash(accessToken),
        }).ApplyTo(descriptor);

        var entry = audit.Create(client.ClientId, AuditAction.ClientUpdated, client.ClientId, address);
        return await ChangeAsync(entry, () => clients.UpdateAsync(client.Application, descriptor))
            ? new ClientInformation(client.ClientId, secret, accessToken, client.Registration.RegisteredAt, metadata)
            : null;
    }

    public Task<bool> DeleteAsync(OpenIddictEntityFrameworkCoreApplication client, string actor, string address) =>
        ChangeAsync(
            audit.Create(actor, AuditAction.ClientDeleted, client.ClientId!, address), () => clients.DeleteAsync(client));

    private static string CreateClientId() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    private static void Apply(ClientMetadata metadata, OpenIddictApplicationDescriptor descriptor)
    {
        descriptor.DisplayName = metadata.Name;
        descriptor.JsonWebKeySet = metadata.Keys;
        metadata.Limits.ApplyTo(descriptor);
    }

    private async Task<bool> ChangeAsync(AuditEntry entry, Func<ValueTask> change)
    {
        try
        {
            return await InTransactionAsync(entry, async () =>
            {
                await change();
                return true;
            });
        }
        catch (OpenIddictExceptions.ConcurrencyException)
        {
            return false;
        }
    }

    // PostgreSQL's strategy retries the whole transaction when the connection is lost.
    private async Task<bool> InTransactionAsync(AuditEntry entry, Func<Task<bool>> work)
    {
        var isRetry = false;
        var isDone = await store.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            if (isRetry) store.ChangeTracker.Clear();
            isRetry = true;
            await using var transaction = await store.Database.BeginTransactionAsync();
            if (!await work()) return false;
            store.Add(entry);
            await store.SaveChangesAsync();
            await transaction.CommitAsync();
            return true;
        });
        if (isDone) audit.Log(entry);
        return isDone;
    }
}
