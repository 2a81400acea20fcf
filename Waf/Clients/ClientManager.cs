using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// OpenIddict's manager of clients, with a fast hash for generated secrets. A failed authentication costs one slow hash, whatever client
/// it names, so that the response time does not show which clients there are.
/// </summary>
internal class ClientManager(
    IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication> cache,
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> logger,
    IOptionsMonitor<OpenIddictCoreOptions> options,
    IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store)
    : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, logger, options, store)
{
    /// <summary>Does the work of a failed authentication, for a client that cannot be authenticated by a secret.</summary>
    public virtual async Task HashInVainAsync(string? secret = null) =>
        await base.ObfuscateClientSecretAsync(string.IsNullOrEmpty(secret) ? "-" : secret);

    /// <summary>The client as it is stored; null when there is none.</summary>
    public async Task<OpenIddictApplicationDescriptor?> DescribeAsync(string clientId)
    {
        // PostgreSQL refuses texts with a NUL.
        if (clientId.Length is 0 or > ClientSettings.MaxClientIdLength || clientId.Any(char.IsControl)) return null;
        if (await FindByClientIdAsync(clientId) is not { } application) return null;
        var descriptor = new OpenIddictApplicationDescriptor();
        await PopulateAsync(descriptor, application);
        return descriptor;
    }

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
