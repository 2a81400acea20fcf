using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HttpOverrides;
using IPNetwork = System.Net.IPNetwork;

namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// The proxies whose <c>X-Forwarded-For</c>, <c>-Proto</c> and <c>-Host</c> are believed, in addition to this machine: the gateway. A limit
/// for each client address needs them.
/// </summary>
public static partial class KnownProxies
{
    /// <summary>Texts that are neither an address nor a range.</summary>
    public static IEnumerable<string> Problems(string setting, IEnumerable<string> proxies) =>
        from text in proxies
        where Parse(text) is null
        select $"{setting} '{text}' is neither an address nor a range such as 10.1.0.0/16";

    /// <summary>Adds the proxies of a valid setting.</summary>
    /// <param name="services">The services.</param>
    /// <param name="proxies">The setting.</param>
    /// <param name="isLoopbackKnown">Whether this machine is also a known proxy. At the edge it is a client like others.</param>
    /// <param name="isHostBelieved">Whether the service needs the host that a browser asked for.</param>
    public static void AddTo(
        IServiceCollection services, IEnumerable<string> proxies, bool isLoopbackKnown = true, bool isHostBelieved = true) =>
        services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            if (isHostBelieved) options.ForwardedHeaders |= ForwardedHeaders.XForwardedHost;
            // Through several proxies that are all known, back to the first address that is not.
            options.ForwardLimit = null;
            if (!isLoopbackKnown)
            {
                options.KnownIPNetworks.Clear();
                options.KnownProxies.Clear();
            }

            foreach (var network in NetworksOf(proxies)) options.KnownIPNetworks.Add(network);
        });

    /// <summary>
    /// Gives requests the client's address, scheme and host. Logs once that a proxy is not known, for a service behind the gateway.
    /// </summary>
    public static void UseIn(WebApplication app, string setting)
    {
        var isLogged = 0;
        app.UseForwardedHeaders();
        app.Use((context, next) =>
        {
            // The headers of a known proxy have been removed.
            if (context.Request.Headers.ContainsKey("X-Forwarded-For") && !context.Request.Headers.ContainsKey("X-Original-For")
                && Interlocked.Exchange(ref isLogged, 1) == 0)
                LogUnknown(app.Logger, context.Connection.RemoteIpAddress, setting);
            return next(context);
        });
    }

    /// <summary>The networks of a valid setting.</summary>
    public static IReadOnlyList<IPNetwork> NetworksOf(IEnumerable<string> proxies) => [.. proxies.Select(text => Parse(text)!.Value)];

    private static IPNetwork? Parse(string text)
    {
        if (IPNetwork.TryParse(text, out var network)) return network;
        return IPAddress.TryParse(text, out var address) ? new IPNetwork(address, 8 * address.GetAddressBytes().Length) : null;
    }

    [LoggerMessage(
        1, LogLevel.Warning, "X-Forwarded-For of {Address} is not believed, so all clients behind it count as one. " +
        "If it is your gateway, add it to {Setting}")]
    private static partial void LogUnknown(ILogger logger, IPAddress? address, string setting);
}
