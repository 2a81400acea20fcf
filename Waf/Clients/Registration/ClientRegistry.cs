using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;
using WebRtcIms.Waf.Stores;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>
/// Registered clients in the store. Each change is one transaction with its audit entry. Null is the result where a token was used up or
/// rotated by another request meanwhile.
/// </summary>
internal sealed partial class ClientRegistry(
    WafDatabase store, ClientManager clients, TimeProvider time, ILogger<ClientRegistry> logger)
{
    private long Now => time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>The initial access token that may be used now; null for any other.</summary>
    public async Task<InitialAccessToken?> FindInitialAccessTokenAsync(string token)
    {
        var (hash, now) = (BearerToken.Hash(token), Now);
        return await store.InitialAccessTokens.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Hash == hash && row.UsesLeft > 0 && row.ExpiresAt > now);
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

        var isRegistered = await InTransactionAsync(async () =>
        {
            var used = await store.InitialAccessTokens
                .Where(row => row.Hash == token.Hash && row.UsesLeft > 0 && row.ExpiresAt > now)
                .ExecuteUpdateAsync(row => row.SetProperty(used => used.UsesLeft, used => used.UsesLeft - 1));
            if (used == 0) return false;
            await clients.CreateAsync(descriptor);
            await AddAuditAsync(token.Name, "client.registered", clientId, address);
            return true;
        });
        if (!isRegistered) return null;
        LogRegistered(logger, clientId, token.Name);
        return new ClientInformation(clientId, secret, accessToken, now, metadata);
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

        var isUpdated = await ChangeAsync("client.updated", client, address, () => clients.UpdateAsync(client.Application, descriptor));
        if (!isUpdated) return null;
        LogUpdated(logger, client.ClientId);
        return new ClientInformation(client.ClientId, secret, accessToken, client.Registration.RegisteredAt, metadata);
    }

    public async Task<bool> DeleteAsync(StoredClient client, string address)
    {
        var isDeleted = await ChangeAsync("client.deleted", client, address, () => clients.DeleteAsync(client.Application));
        if (isDeleted) LogDeleted(logger, client.ClientId);
        return isDeleted;
    }

    private static string CreateClientId() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    private static void Apply(ClientMetadata metadata, OpenIddictApplicationDescriptor descriptor)
    {
        descriptor.DisplayName = metadata.Name;
        descriptor.JsonWebKeySet = metadata.Keys;
        metadata.Limits.ApplyTo(descriptor);
    }

    private async Task<bool> ChangeAsync(string action, StoredClient client, string address, Func<ValueTask> change)
    {
        try
        {
            return await InTransactionAsync(async () =>
            {
                await change();
                await AddAuditAsync(client.ClientId, action, client.ClientId, address);
                return true;
            });
        }
        catch (OpenIddictExceptions.ConcurrencyException)
        {
            return false;
        }
    }

    // PostgreSQL's strategy retries the whole transaction when the connection is lost.
    private Task<bool> InTransactionAsync(Func<Task<bool>> work)
    {
        var isRetry = false;
        return store.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            if (isRetry) store.ChangeTracker.Clear();
            isRetry = true;
            await using var transaction = await store.Database.BeginTransactionAsync();
            if (!await work()) return false;
            await transaction.CommitAsync();
            return true;
        });
    }

    private Task<int> AddAuditAsync(string actor, string action, string subject, string address)
    {
        store.Add(new AuditEntry { At = Now, Actor = actor, Action = action, Subject = subject, Address = address });
        return store.SaveChangesAsync();
    }

    [LoggerMessage(1, LogLevel.Information, "The client {ClientId} was registered with the initial access token {Name}")]
    private static partial void LogRegistered(ILogger logger, string clientId, string name);

    [LoggerMessage(2, LogLevel.Information, "The client {ClientId} changed its registration")]
    private static partial void LogUpdated(ILogger logger, string clientId);

    [LoggerMessage(3, LogLevel.Information, "The client {ClientId} was deleted")]
    private static partial void LogDeleted(ILogger logger, string clientId);
}
