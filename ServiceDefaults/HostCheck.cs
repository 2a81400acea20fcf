using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Hosting;
using StringSegment = Microsoft.Extensions.Primitives.StringSegment;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Answers 400 to a request for a Host that <c>AllowedHosts</c> does not name, before anything else reads the request. So a page whose DNS
/// name is rebound to this server reads nothing of it, and opens no WebSocket. In Development the names of loopback are allowed also.
/// Probes and Prometheus use addresses, so their paths answer for any Host.
/// </summary>
internal sealed partial class HostCheck(IList<StringSegment> hosts, bool allowsLoopback, int? metricsPort, ILogger<HostCheck> logger)
    : IStartupFilter
{
    private const string Setting = "AllowedHosts";
    private static readonly PathString[] Probes = ["/health", "/alive", "/ready"];

    /// <summary>Adds the check.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="isRequired">Whether the setting is needed outside Development. Without it only loopback names are allowed.</param>
    /// <exception cref="SettingsException">The setting is missing, or it allows every host.</exception>
    public static void AddTo(WebApplicationBuilder builder, bool isRequired)
    {
        var entries = (builder.Configuration[Setting] ?? "").Split(';',
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var isDevelopment = builder.Environment.IsDevelopment();
        if (entries.Contains("*") || (entries.Length == 0 && isRequired && !isDevelopment))
        {
            throw new SettingsException(
                $"{Setting} must name the hosts under which clients and other parts reach this service, separated by semicolons, such as "
                + "phone.example.com;wwsf.");
        }

        IList<StringSegment> hosts = [.. entries.Select(HostOf)];
        var metricsPort = builder.Configuration.GetValue<int?>(Extensions.PrometheusPort);
        builder.Services.AddSingleton<IStartupFilter>(services => new HostCheck(
            hosts, isDevelopment || entries.Length == 0, metricsPort, services.GetRequiredService<ILogger<HostCheck>>()));
        // ASP.NET Core's own filter has no exception for probes.
        builder.Services.Configure<HostFilteringOptions>(filter => filter.AllowedHosts = ["*"]);
    }

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => pipeline =>
    {
        pipeline.Use(CheckAsync);
        next(pipeline);
    };

    // An entry may be an origin, as in the setting of the WWSF.
    private static StringSegment HostOf(string entry) =>
        Uri.TryCreate(entry, UriKind.Absolute, out var origin) && origin.Scheme is "http" or "https"
            ? origin.IdnHost
            : new HostString(entry).ToUriComponent();

    private async Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        if (IsAllowed(context.Request.Host) || IsForAnyHost(context))
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        LogRefused(context.Request.Host.Value ?? "");
        await Results.Problem($"This service does not answer for this Host. {Setting} names those for which it does.",
            statusCode: StatusCodes.Status400BadRequest, title: "Unknown host").ExecuteAsync(context).ConfigureAwait(false);
    }

    private bool IsAllowed(HostString host) => host.HasValue
        && (HostString.MatchesAny(host.Value, hosts)
        || (allowsLoopback && LocalCaller.IsLoopbackName(host.Host)));

    private bool IsForAnyHost(HttpContext context) => Array.IndexOf(Probes, context.Request.Path) >= 0
        || (context.Connection.LocalPort == metricsPort && context.Request.Path == Extensions.MetricsPath);

    [LoggerMessage(111, LogLevel.Warning, "A request for the Host {Host} was refused: " + Setting + " does not name it")]
    private partial void LogRefused(string host);
}
