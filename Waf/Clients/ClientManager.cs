using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// OpenIddict's manager of clients, with a cache for all requests and a fast hash for generated secrets. A failed authentication costs one
/// slow hash, whatever client it names, so that the response time does not show which clients there are.
/// </summary>
internal class ClientManager(
    IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication> cache,
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> logger,
    IOptionsMonitor<OpenIddictCoreOptions> options,
    IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store,
    ClientCache recent,
    TimeProvider time)
    : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, logger, options, store)
{
    /// <summary>The client, to read only; it may be as old as <see cref="ClientCache.Lifetime"/>.</summary>
    public override async ValueTask<OpenIddictEntityFrameworkCoreApplication?> FindByClientIdAsync(
        string identifier, CancellationToken cancellationToken = default)
    {
        if (!CanExist(identifier)) return null;
        if (recent.TryFind(identifier, out var known)) return known;
        var readAt = time.GetTimestamp();
        var client = await FindForUpdateAsync(identifier, cancellationToken);
        recent.Add(identifier, client, readAt);
        return client;
    }

    /// <summary>The client as the store has it now.</summary>
    public virtual ValueTask<OpenIddictEntityFrameworkCoreApplication?> FindForUpdateAsync(
        string clientId, CancellationToken cancellationToken = default) =>
        CanExist(clientId) ? base.FindByClientIdAsync(clientId, cancellationToken) : default;

    /// <summary>Null when there is no such client.</summary>
    public async Task<ClientAuthentication?> FindAuthenticationAsync(string clientId) =>
        await FindByClientIdAsync(clientId) is { } client
            ? ClientAuthentication.Of(await GetPropertiesAsync(client), hasSecret: client.ClientSecret is not null)
            : null;

    /// <summary>Null when there is no such client, or it has none.</summary>
    public async Task<JsonWebKeySet?> FindKeysAsync(string clientId) =>
        await FindByClientIdAsync(clientId) is { } client ? await GetJsonWebKeySetAsync(client) : null;

    public override async ValueTask CreateAsync(
        OpenIddictEntityFrameworkCoreApplication application, string? secret, CancellationToken cancellationToken = default)
    {
        await base.CreateAsync(application, secret, cancellationToken);
        recent.Remove(application.ClientId!);
    }

    public override async ValueTask UpdateAsync(
        OpenIddictEntityFrameworkCoreApplication application, CancellationToken cancellationToken = default)
    {
        await base.UpdateAsync(application, cancellationToken);
        recent.Remove(application.ClientId!);
    }

    public override async ValueTask DeleteAsync(
        OpenIddictEntityFrameworkCoreApplication application, CancellationToken cancellationToken = default)
    {
        await base.DeleteAsync(application, cancellationToken);
        recent.Remove(application.ClientId!);
    }

    /// <summary>Does the work of a failed authentication, for a client that cannot be authenticated by a secret.</summary>
    public virtual async Task HashInVainAsync(string? secret = null) =>
        await base.ObfuscateClientSecretAsync(string.IsNullOrEmpty(secret) ? "-" : secret);

    protected override async ValueTask<string> ObfuscateClientSecretAsync(string secret, CancellationToken cancellationToken = default) =>
        GeneratedSecret.Is(secret) ? GeneratedSecret.Hash(secret) : await base.ObfuscateClientSecretAsync(secret, cancellationToken);

    protected override async ValueTask<bool> ValidateClientSecretAsync(
        string secret, string comparand, CancellationToken cancellationToken = default)
    {
        if (!GeneratedSecret.IsHash(comparand)) return await ValidateSlowlyAsync(secret, comparand, cancellationToken);
        if (GeneratedSecret.Verify(secret, comparand)) return true;
        await HashInVainAsync(secret);
        return false;
    }

    // PostgreSQL refuses texts with a NUL.
    private static bool CanExist(string clientId) =>
        clientId.Length is > 0 and <= ClientSettings.MaxClientIdLength && !clientId.Any(char.IsControl);

    protected virtual ValueTask<bool> ValidateSlowlyAsync(string secret, string comparand, CancellationToken cancellationToken) =>
        base.ValidateClientSecretAsync(secret, comparand, cancellationToken);
}
