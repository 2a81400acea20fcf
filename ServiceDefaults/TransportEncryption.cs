using System.Net;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Secrets, tokens and keys travel encrypted between machines (RFC 7635 §11, RFC 6749 §3.2). Outside Development a service does not start
/// with an address of another machine that has no TLS, unless <c>Transport:Encryption</c> is <c>Mesh</c>: the network then encrypts.
/// </summary>
public static class TransportEncryption
{
    public const string Setting = "Transport:Encryption";

    private const string Mesh = "Mesh";
    private const string Services = "Services";
    private const string Advice = $"or set {Setting}=Mesh if the network encrypts";

    private static readonly string[] Collectors =
    [
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    ];

    /// <summary>Whether peers on other machines may be without TLS.</summary>
    public static bool IsElsewhere(IConfiguration configuration, IHostEnvironment environment) =>
        environment.IsDevelopment() || string.Equals(configuration[Setting], Mesh, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a request came encrypted, or from this machine. A peer without an address is a Unix socket.</summary>
    public static bool IsProtected(HttpContext context) =>
        context.Request.IsHttps || context.Connection.RemoteIpAddress is not { } peer || IPAddress.IsLoopback(peer);

    /// <summary>Whether a text is a plain http address of another machine. It may be without its scheme.</summary>
    public static bool IsPlain(string address)
    {
        var hasScheme = address.Contains("://", StringComparison.Ordinal);
        return Uri.TryCreate(hasScheme ? address : $"http://{address}", UriKind.Absolute, out var uri)
            && uri.Scheme == Uri.UriSchemeHttp && !LocalCaller.IsLoopbackName(uri.Host);
    }

    /// <summary>The end of a message about an address without TLS.</summary>
    public static string Problem(string remedy) => $"names another machine without TLS: {remedy}, {Advice}";

    /// <exception cref="SettingsException">The address of another service, of Redis or of a collector is without TLS.</exception>
    internal static void Check(IConfiguration configuration, IHostEnvironment environment)
    {
        var problems = configuration[Setting] is { Length: > 0 } value
            && !value.Equals(Mesh, StringComparison.OrdinalIgnoreCase) && !value.Equals(Services, StringComparison.OrdinalIgnoreCase)
                ? [$"{Setting} must be {Services} or {Mesh}{SettingText.Not(value)}"]
                : IsElsewhere(configuration, environment) ? Array.Empty<string>()
                : [
                    .. configuration.GetSection("services").GetChildren().SelectMany(ServiceProblems),
                    .. RedisProblems(configuration),
                    .. TelemetryProblems(configuration),
                ];
        if (problems.Length > 0) throw SettingsException.Of(problems);
    }

    // Clients prefer the https addresses of a service (https+http://name).
    private static IEnumerable<string> ServiceProblems(IConfigurationSection service)
    {
        if (service.GetSection("https").GetChildren().Any()) yield break;
        foreach (var address in service.AsEnumerable().Where(entry => entry.Value is { Length: > 0 } text && IsPlain(text)))
            yield return $"{address.Key} {Problem($"give {service.Path}:https:0")}";
    }

    private static IEnumerable<string> RedisProblems(IConfiguration configuration)
    {
        if (RedisAddress.Read(configuration) is { Ssl: false } redis && redis.EndPoints.Any(IsOfAnotherMachine))
            yield return $"ConnectionStrings:redis {Problem("add ssl=true")}";
    }

    // Telemetry has addresses of callers and pseudonyms of sessions.
    private static IEnumerable<string> TelemetryProblems(IConfiguration configuration) => Collectors
        .Where(name => configuration[name] is { Length: > 0 } address && IsPlain(address))
        .Select(name => $"{name} {Problem("give an https address")}");

    private static bool IsOfAnotherMachine(EndPoint endpoint) => endpoint switch
    {
        DnsEndPoint { Host: var host } => !LocalCaller.IsLoopbackName(host),
        IPEndPoint { Address: var address } => !IPAddress.IsLoopback(address),
        _ => false,
    };
}
