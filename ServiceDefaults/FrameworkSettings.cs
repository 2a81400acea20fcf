using System.Globalization;
using System.Net;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Settings that .NET, Redis, OpenTelemetry and service discovery read by themselves. Each of them reports a mistake in its own way: with
/// an exception that does not name the setting, at the first use, or never.
/// </summary>
internal static class FrameworkSettings
{
    private const string Example = "http://localhost:8081";

    /// <exception cref="SettingsException">There are problems. The message lists them all, and has no secret.</exception>
    public static void Check(IConfiguration configuration)
    {
        string[] problems =
        [
            .. ListenAddresses.Problems(configuration),
            .. TelemetrySettings.Problems(configuration),
            .. LogLevelProblems(configuration.GetSection("Logging")),
            .. HostProblems(configuration["AllowedHosts"] ?? ""),
            .. configuration.GetSection("services").GetChildren().SelectMany(ServiceProblems),
            .. RedisAddress.Problem(configuration) is { } redis ? [redis] : Array.Empty<string>(),
            .. HttpAddress.Problem("FlowView:Endpoint", configuration["FlowView:Endpoint"], "http://localhost:4318") is { } flow
                ? [flow] : Array.Empty<string>(),
            .. PortProblem(Extensions.PrometheusPort, configuration[Extensions.PrometheusPort]) is { } port
                ? [port] : Array.Empty<string>(),
        ];
        if (problems.Length > 0) throw SettingsException.Of(problems);
    }

    private static IEnumerable<string> LogLevelProblems(IConfigurationSection section) => section.GetChildren().SelectMany(child =>
        child.Key.Equals("LogLevel", StringComparison.OrdinalIgnoreCase)
            ? child.GetChildren().Select(SettingsReader.EnumProblem<LogLevel>).OfType<string>()
            : LogLevelProblems(child));

    // An entry is a host, with or without a port, or an origin. One that no request can match is a mistake.
    private static IEnumerable<string> HostProblems(string setting) =>
        from entry in setting.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        where entry != "*" && !IsHostEntry(entry)
        select $"AllowedHosts must be hosts such as phone.example.com;*.example.org, separated by semicolons{SettingText.Not(entry)}";

    private static bool IsHostEntry(string entry)
    {
        if (IPAddress.TryParse(entry, out _)) return true;
        if (entry.Contains("://", StringComparison.Ordinal)) return HttpAddress.Parse(entry) is { PathAndQuery: "/" };
        var host = new HostString(entry.StartsWith("*.", StringComparison.Ordinal) ? entry[2..] : entry);
        var hasPort = entry.LastIndexOf(':') > entry.LastIndexOf(']');
        return HttpAddress.IsHost(host.Host) && (host.Port is > 0 and <= ushort.MaxValue) == hasPort;
    }

    // The entries of an endpoint with another name may have any scheme.
    private static IEnumerable<string> ServiceProblems(IConfigurationSection service) =>
        from entry in service.AsEnumerable()
        where entry.Value is { Length: > 0 }
        let endpoint = entry.Key[(service.Path.Length + 1)..].Split(':')[0]
        let isHttp = endpoint.ToUpperInvariant() is "HTTP" or "HTTPS" or "DEFAULT" || endpoint.All(char.IsAsciiDigit)
        let address = entry.Value.Contains("://", StringComparison.Ordinal) ? entry.Value : $"http://{entry.Value}"
        where isHttp ? HttpAddress.Parse(address) is null : !Uri.TryCreate(address, UriKind.Absolute, out _)
        select $"{entry.Key} must be an address such as {Example}{SettingText.Not(entry.Value)}";

    private static string? PortProblem(string setting, string? value) =>
        string.IsNullOrEmpty(value)
        || (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= ushort.MaxValue)
            ? null : $"{setting} must be a port from 1 to 65535{SettingText.Not(value)}";
}
