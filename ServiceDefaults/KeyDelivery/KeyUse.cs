using StackExchange.Redis;
using WebRtcIms.Contracts;

namespace WebRtcIms.ServiceDefaults.KeyDelivery;

/// <summary>The keys that a service fetches from the WAF.</summary>
/// <param name="Section">The name of the settings, such as <c>Turn:KeyDelivery</c>, for messages.</param>
/// <param name="Settings">The settings.</param>
/// <param name="Service">The service of the request, such as <c>turn</c>.</param>
/// <param name="Name">The name of the request, such as the server name of a TURN server.</param>
/// <param name="Advice">The settings to compare when the WAF answers 403.</param>
public sealed record KeyUse(string Section, KeyDeliverySettings Settings, string Service, string Name, string Advice)
{
    internal Uri Request =>
        new(new Uri(Settings.Address), $"{LongTermKeys.Path}?service={Service}&name={Uri.EscapeDataString(Name)}");
}

/// <summary>The part of a service that uses the delivered keys.</summary>
public interface IKeyHolder
{
    /// <summary>Whether there is a key that has not expired.</summary>
    bool HasKeys { get; }

    /// <summary>
    /// Uses the keys of a response of the WAF at once. Returns the problem if they cannot be used; the old ones then stay.
    /// </summary>
    string? Deliver(LongTermKeys response);
}

public static class KeyDeliveryServices
{
    /// <summary>Adds a <see cref="KeyFetcher"/>, and the health check <c>keys</c>.</summary>
    public static void AddKeyDelivery<THolder>(this IServiceCollection services, KeyUse use)
        where THolder : class, IKeyHolder
    {
        services.AddSingleton(provider => new KeyFetcher(
            use, provider.GetRequiredService<THolder>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<KeyFetcher>>(), provider.GetService<IConnectionMultiplexer>()));
        services.AddHostedService(provider => provider.GetRequiredService<KeyFetcher>());
        services.AddHealthChecks().AddCheck<KeyFetcher>("keys");
    }
}
