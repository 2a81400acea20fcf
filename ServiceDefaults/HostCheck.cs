using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Hosting;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Answers 400 to a request for a Host that <c>AllowedHosts</c> does not name, before anything else reads the request. So a page whose DNS
/// name is rebound to this server reads nothing of it, and opens no WebSocket. In Development the names of loopback are allowed also.
/// Probes and Prometheus use addresses, so their paths answer for any Host.
/// </summary>
public sealed partial class HostCheck : IStartupFilter
{
    private const string Setting = "AllowedHosts";
    private const string Wildcard = "*.";
    private static readonly PathString[] Probes = ["/health", "/alive", "/ready"];

    // A host, or with a dot in front all hosts below it.
    private readonly List<string> _hosts;
    private readonly bool _allowsLoopback;
    private readonly int? _metricsPort;
    private readonly ILogger<HostCheck> _logger;

    private HostCheck(List<string> hosts, bool allowsLoopback, int? metricsPort, ILogger<HostCheck> logger) =>
        (_hosts, _allowsLoopback, _metricsPort, _logger) = (hosts, allowsLoopback, metricsPort, logger);

    /// <summary>Adds the check.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="isRequired">Whether the setting is needed outside Development. Without it only loopback names are allowed.</param>
    /// <exception cref="SettingsException">The setting is missing, or it allows every host.</exception>
    internal static void AddTo(WebApplicationBuilder builder, bool isRequired)
    {
        var entries = (builder.Configuration[Setting] ?? "").Split(';',
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var isDevelopment = builder.Environment.IsDevelopment();
        if (entries.Any(entry => NameOf(entry) is null) || (entries.Length == 0 && isRequired && !isDevelopment))
        {
            throw new SettingsException(
                $"{Setting} must name the hosts under which clients and other parts reach this service, separated by semicolons, such as "
                + "phone.example.com;wwsf.");
        }

        var metricsPort = builder.Configuration.GetValue<int?>(Extensions.PrometheusPort);
        builder.Services.AddSingleton(services => new HostCheck(
            [.. entries.Select(entry => NameOf(entry)!)], isDevelopment || entries.Length == 0, metricsPort,
            services.GetRequiredService<ILogger<HostCheck>>()));
        builder.Services.AddSingleton<IStartupFilter>(services => services.GetRequiredService<HostCheck>());
        // ASP.NET Core's own filter has no exception for probes.
        builder.Services.Configure<HostFilteringOptions>(filter => filter.AllowedHosts = ["*"]);
    }

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => pipeline =>
    {
        pipeline.Use(CheckAsync);
        next(pipeline);
    };

    /// <summary>Checks the Host that the request has now. The edge does this again after a proxy's X-Forwarded-Host.</summary>
    public async Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        if (IsAllowed(context.Request) || IsForAnyHost(context))
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        LogRefused(context.Request.Headers.Host.ToString());
        await Results.Problem($"This service does not answer for this Host. {Setting} names those for which it does.",
            statusCode: StatusCodes.Status400BadRequest, title: "Unknown host").ExecuteAsync(context).ConfigureAwait(false);
    }

    // An entry may be an origin, as in the setting of the WWSF.
    private static string? NameOf(string entry)
    {
        if (entry.StartsWith(Wildcard, StringComparison.Ordinal)) return NameOf(entry[Wildcard.Length..]) is { } name ? $".{name}" : null;
        if (entry.Contains('*', StringComparison.Ordinal)) return null;
        return (WebOrigin.Parse(entry) ?? WebOrigin.Parse($"http://{entry}") ?? WebOrigin.Parse($"http://[{entry}]"))?.Host;
    }

    private bool IsAllowed(HttpRequest request) => WebOrigin.Of(request) is { Host: var host }
        && (_hosts.Exists(entry => host == entry || (entry[0] == '.' && host.EndsWith(entry, StringComparison.Ordinal)))
        || (_allowsLoopback && LocalCaller.IsLoopbackName(host)));

    private bool IsForAnyHost(HttpContext context) => Array.IndexOf(Probes, context.Request.Path) >= 0
        || (context.Connection.LocalPort == _metricsPort && context.Request.Path == Extensions.MetricsPath);

    [LoggerMessage(111, LogLevel.Warning, "A request for the Host {Host} was refused: " + Setting + " does not name it")]
    private partial void LogRefused(string host);
}
