using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// OpenIddict's manager of clients, with a cache for all requests and a fast hash for generated secrets. A failed authentication costs one
/// slow hash, whatever client it names, so that the response time does not show which clients there are.
/// A client that did not register itself exists as long as the settings of this replica name it, whatever the store has. So replicas
/// with different settings do not undo each other's changes.
/// </summary>
internal class ClientManager(
    IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication> cache,
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> logger,
    IOptionsMonitor<OpenIddictCoreOptions> options,
    IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store,
    ClientCache recent,
    IReadOnlyList<ClientSettings> settings,
    SlowHash hash,
    TimeProvider time)
    : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, logger, options, store)
{
    /// <summary>A client that registered itself has this property.</summary>
    public const string RegistrationProperty = "webrtcims.registration";

    /// <summary>The client, to read only; it may be as old as <see cref="ClientCache.Lifetime"/>.</summary>
    public override async ValueTask<OpenIddictEntityFrameworkCoreApplication?> FindByClientIdAsync(
        string identifier, CancellationToken cancellationToken = default)
    {
        if (!CanExist(identifier)) return null;
        if (recent.TryFind(identifier, out var known)) return known;
        var readAt = time.GetTimestamp();
        var client = await FindForUpdateAsync(identifier, cancellationToken);
        if (client is not null && await IsRemovedAsync(client, cancellationToken)) client = null;
        recent.Add(identifier, client, readAt);
        return client;
    }

    /// <summary>Whether the client came from the settings, and they do not name it any more.</summary>
    public async ValueTask<bool> IsRemovedAsync(
        OpenIddictEntityFrameworkCoreApplication client, CancellationToken cancellationToken = default) =>
        !settings.Any(known => known.ClientId == client.ClientId)
        && !(await GetPropertiesAsync(client, cancellationToken)).ContainsKey(RegistrationProperty);

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
        await hash.RunAsync(() => base.ObfuscateClientSecretAsync(string.IsNullOrEmpty(secret) ? "-" : secret));

    protected override async ValueTask<string> ObfuscateClientSecretAsync(string secret, CancellationToken cancellationToken = default) =>
        GeneratedSecret.Is(secret) ? GeneratedSecret.Hash(secret) : await base.ObfuscateClientSecretAsync(secret, cancellationToken);

    protected override async ValueTask<bool> ValidateClientSecretAsync(
        string secret, string comparand, CancellationToken cancellationToken = default)
    {
        if (!GeneratedSecret.IsHash(comparand))
        {
            if (hash.HasVerified(secret, comparand)) return true;
            if (!await hash.RunAsync(() => ValidateSlowlyAsync(secret, comparand, cancellationToken))) return false;
            hash.AddVerified(secret, comparand);
            return true;
        }

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
