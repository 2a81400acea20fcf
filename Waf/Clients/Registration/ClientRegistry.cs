using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
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
internal sealed class ClientRegistry(
    WafDatabase store, ClientManager clients, AuditLog audit, TimeProvider time, IReadOnlyList<InitialAccessTokenSettings> settings)
{
    /// <summary>
    /// No token is made for a client that was deleted this long ago: the deletion took less, and so did the requests at that time.
    /// </summary>
    public static readonly TimeSpan DeletionLimit = TimeSpan.FromMinutes(1);

    private long Now => time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>The initial access token that may be used now; null for any other.</summary>
    public async Task<InitialAccessToken?> FindInitialAccessTokenAsync(string token)
    {
        var (hash, now) = (BearerToken.Hash(token), Now);
        var row = await store.InitialAccessTokens.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Hash == hash && row.UsesLeft > 0 && row.ExpiresAt > now);
        return row?.FromSettings is true && !settings.Any(known => BearerToken.Hash(known.Token.Reveal()) == hash) ? null : row;
    }

    /// <summary>Ends an initial access token. False when there is none of this name that can be used.</summary>
    public Task<bool> RevokeInitialAccessTokenAsync(string name, AuditEntry entry)
    {
        var now = Now;
        var usable = store.InitialAccessTokens.Where(row => row.Name == name && row.UsesLeft > 0 && row.ExpiresAt > now);
        return InTransactionAsync(
            entry, async () => await usable.ExecuteUpdateAsync(row => row.SetProperty(ended => ended.UsesLeft, 0)) > 0,
            isDone: async () => !await usable.AnyAsync());
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
        new RegistrationEntry(token.Name, now, BearerToken.Hash(accessToken), CeilingOf(token)).ApplyTo(descriptor);

        var entry = audit.Create(token.Name, AuditAction.ClientRegistered, clientId, address);
        var isRegistered = await InTransactionAsync(entry, async () =>
        {
            var used = await store.InitialAccessTokens
                .Where(row => row.Hash == token.Hash && row.UsesLeft > 0 && row.ExpiresAt > now)
                .ExecuteUpdateAsync(row => row.SetProperty(used => used.UsesLeft, used => used.UsesLeft - 1));
            if (used == 0) return false;
            await clients.CreateAsync(descriptor);
            return true;
        }, isDone: async () => await FindStoredAsync(clientId) is not null);
        return isRegistered ? new ClientInformation(clientId, secret, accessToken, now, metadata) : null;
    }

    /// <summary>The registered client with this registration access token; null for any other.</summary>
    public async Task<StoredClient?> FindAsync(string clientId, string accessToken)
    {
        if (await clients.FindForUpdateAsync(clientId) is not { } application) return null;
        var descriptor = new OpenIddictApplicationDescriptor();
        await clients.PopulateAsync(descriptor, application);
        return RegistrationEntry.Of(descriptor) is { } registration && BearerToken.Verify(accessToken, registration.AccessTokenHash)
            ? new StoredClient(application, descriptor, registration)
            : null;
    }

    public static ClientMetadata MetadataOf(StoredClient client) => new(
        client.Descriptor.DisplayName,
        ClientAuthentication.Of(client.Descriptor.Properties.AsReadOnly(), client.Descriptor.ClientSecret is not null).Methods[0],
        client.Descriptor.JsonWebKeySet,
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
        var hash = BearerToken.Hash(accessToken);
        (client.Registration with { AccessTokenHash = hash }).ApplyTo(descriptor);

        var entry = audit.Create(client.ClientId, AuditAction.ClientUpdated, client.ClientId, address);
        var isUpdated = await ChangeAsync(
            entry, client.Application, stored => clients.UpdateAsync(stored, descriptor),
            isDone: stored => stored?.Properties?.Contains(hash, StringComparison.Ordinal) is true);
        return isUpdated
            ? new ClientInformation(client.ClientId, secret, accessToken, client.Registration.RegisteredAt, metadata)
            : null;
    }

    public Task<bool> DeleteAsync(OpenIddictEntityFrameworkCoreApplication client, string actor, string? address) => ChangeAsync(
        audit.Create(actor, AuditAction.ClientDeleted, client.ClientId!, address), client, stored => clients.DeleteAsync(stored),
        isDone: stored => stored is null);

    private static string CreateClientId() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    private static void Apply(ClientMetadata metadata, OpenIddictApplicationDescriptor descriptor)
    {
        descriptor.DisplayName = metadata.Name;
        descriptor.JsonWebKeySet = metadata.Keys;
        metadata.Authentication.ApplyTo(descriptor);
        metadata.Limits.ApplyTo(descriptor);
    }

    private async Task<bool> ChangeAsync(
        AuditEntry entry, OpenIddictEntityFrameworkCoreApplication client,
        Func<OpenIddictEntityFrameworkCoreApplication, ValueTask> change,
        Func<OpenIddictEntityFrameworkCoreApplication?, bool> isDone)
    {
        var (clientId, version) = (client.ClientId!, client.ConcurrencyToken);
        try
        {
            return await InTransactionAsync(entry, async () =>
            {
                if (await FindStoredAsync(clientId) is not { } stored || stored.ConcurrencyToken != version) return false;
                await change(stored);
                return true;
            }, async () => isDone(await FindStoredAsync(clientId)));
        }
        catch (OpenIddictExceptions.ConcurrencyException)
        {
            return false;
        }
    }

    // The manager has a cache.
    private Task<OpenIddictEntityFrameworkCoreApplication?> FindStoredAsync(string clientId)
    {
        store.ChangeTracker.Clear();
        return store.Set<OpenIddictEntityFrameworkCoreApplication>().SingleOrDefaultAsync(client => client.ClientId == clientId);
    }

    // PostgreSQL's strategy repeats the whole transaction when the connection is lost. If that was after the commit, the work is done.
    private async Task<bool> InTransactionAsync(AuditEntry entry, Func<Task<bool>> work, Func<Task<bool>> isDone)
    {
        var isCommitted = await store.Database.CreateExecutionStrategy().ExecuteAsync(
            work,
            async (_, work, cancel) =>
            {
                store.ChangeTracker.Clear();
                await using var transaction = await store.Database.BeginTransactionAsync(cancel);
                if (!await work()) return false;
                store.Add(entry);
                await store.SaveChangesAsync(cancel);
                await transaction.CommitAsync(cancel);
                return true;
            },
            async (_, _, _) => new ExecutionResult<bool>(await isDone(), result: true),
            CancellationToken.None);
        if (isCommitted) audit.Log(entry);
        return isCommitted;
    }
}
