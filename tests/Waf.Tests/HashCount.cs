using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;
using WebRtcIms.Waf.Clients;

namespace WebRtcIms.Waf.Tests;

/// <summary>Counts how often a secret is hashed with the slow hash.</summary>
internal sealed class HashCount
{
    private int _count;

    public int Count
    {
        get => _count;
        set => _count = value;
    }

    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton(this);
        services.AddScoped<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>, Applications>();
    }

    private sealed class Applications(
        HashCount count,
        IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication> cache,
        ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> logger,
        IOptionsMonitor<OpenIddictCoreOptions> options,
        IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store,
        ClientCache recent,
        IReadOnlyList<ClientSettings> settings,
        SlowHash hash,
        TimeProvider time)
        : ClientManager(cache, logger, options, store, recent, settings, hash, time)
    {
        public override Task HashInVainAsync(string? secret = null)
        {
            Interlocked.Increment(ref count._count);
            return base.HashInVainAsync(secret);
        }

        protected override ValueTask<bool> ValidateSlowlyAsync(string secret, string comparand, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref count._count);
            return base.ValidateSlowlyAsync(secret, comparand, cancellationToken);
        }
    }
}
