using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// OpenIddict's manager of clients, with a cache for all requests and a fast hash for generated secrets. A failed authentication costs one slow hash, whatever client
/// it names, so that the response time does not show which clients there are.
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
        if (recent.Find(identifier) is { } known) return known;
        var readAt = time.GetTimestamp();
        if (await FindForUpdateAsync(identifier, cancellationToken) is not { } client) return null;
        recent.Add(identifier, client, readAt);
        return client;
    }

    /// <summary>The client as the store has it now.</summary>
    public virtual ValueTask<OpenIddictEntityFrameworkCoreApplication?> FindForUpdateAsync(
        string clientId, CancellationToken cancellationToken = default) =>
        base.FindByClientIdAsync(clientId, cancellationToken);

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
    public virtual async Task HashInVainAsync(string secret) => await base.ObfuscateClientSecretAsync(secret);

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

    protected virtual ValueTask<bool> ValidateSlowlyAsync(string secret, string comparand, CancellationToken cancellationToken) =>
        base.ValidateClientSecretAsync(secret, comparand, cancellationToken);
}
