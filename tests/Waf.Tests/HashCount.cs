using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Tests;

/// <summary>Counts how often a secret is hashed.</summary>
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
        IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store)
        : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, logger, options, store)
    {
        protected override ValueTask<bool> ValidateClientSecretAsync(string secret, string comparand,
            CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref count._count);
            return base.ValidateClientSecretAsync(secret, comparand, cancellationToken);
        }
    }
}
