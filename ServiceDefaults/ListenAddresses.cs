using System.Globalization;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The addresses that Kestrel listens on. Kestrel throws for some mistakes, and for others it listens on port 80 of every address.
/// </summary>
public static class ListenAddresses
{
    private const string Urls = "ASPNETCORE_URLS";
    private const string Endpoints = "Kestrel:Endpoints";
    private const string Example = "http://localhost:8080";

    internal static IEnumerable<string> Problems(IConfiguration configuration) =>
    [
        .. Split(configuration[WebHostDefaults.ServerUrlsKey]).Select(url => UrlProblem(Urls, url)).OfType<string>(),
        .. PortProblems(configuration, WebHostDefaults.HttpPortsKey),
        .. PortProblems(configuration, WebHostDefaults.HttpsPortsKey),
        .. configuration.GetSection(Endpoints).GetChildren().SelectMany(EndpointProblems),
        .. TransportProblems(configuration.GetSection("Kestrel:EndpointDefaults")),
    ];

    private static string? UrlProblem(string setting, string url) => Parse(url) switch
    {
        null => $"{setting} must be an address such as {Example}{SettingText.Not(url)}",
        { Host: "localhost", Port: 0 } => $"{setting} must name a port for localhost, or be http://127.0.0.1:0{SettingText.Not(url)}",
        _ => null,
    };

    /// <summary>An address to listen on; null when the text is none.</summary>
    public static BindingAddress? Parse(string? url)
    {
        if (string.IsNullOrEmpty(url)) return null;
        try
        {
            var address = BindingAddress.Parse(url);
            return address.Scheme is "http" or "https" && (address.IsUnixPipe || address.IsNamedPipe || IsInternet(address))
                ? address : null;
        }
        catch (Exception error) when (error is FormatException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static bool IsInternet(BindingAddress address) =>
        (address.Host is "*" or "+" || HttpAddress.IsHost(address.Host)) && address is { Port: >= 0 and <= ushort.MaxValue, PathBase: "" };

    private static IEnumerable<string> PortProblems(IConfiguration configuration, string key) =>
        from port in Split(configuration[key])
        where !int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > ushort.MaxValue
        select $"ASPNETCORE_{key.ToUpperInvariant()} must be ports such as 8080, separated by semicolons{SettingText.Not(port)}";

    private static IEnumerable<string> EndpointProblems(IConfigurationSection endpoint)
    {
        if (UrlProblem($"{endpoint.Path}:Url", endpoint["Url"] ?? "") is { } problem) yield return problem;
        foreach (var other in TransportProblems(endpoint)) yield return other;
    }

    // Kestrel passes over a value that it does not know.
    private static IEnumerable<string> TransportProblems(IConfigurationSection endpoint)
    {
        if (SettingsReader.EnumProblem<HttpProtocols>(endpoint.GetSection("Protocols")) is { } protocols) yield return protocols;
        if (SettingsReader.EnumProblem<Microsoft.AspNetCore.Server.Kestrel.Https.ClientCertificateMode>(
            endpoint.GetSection("ClientCertificateMode")) is { } mode)
            yield return mode;
        foreach (var protocol in endpoint.GetSection("SslProtocols").GetChildren())
        {
            if (SettingsReader.EnumProblem<System.Security.Authentication.SslProtocols>(protocol) is { } version) yield return version;
        }
    }

    private static string[] Split(string? text) =>
        (text ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
