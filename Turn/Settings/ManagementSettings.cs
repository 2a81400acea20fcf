namespace WebRtcIms.Turn.Settings;

/// <summary>Access to the management interface, which lists and ends allocations and revokes tokens.</summary>
internal sealed class ManagementSettings
{
    /// <summary>Accept requests from other machines. They can end every call.</summary>
    public bool AllowRemote { get; set; }

    /// <summary>
    /// The first of: ASPNETCORE_URLS, the ports of ASPNETCORE_HTTP_PORTS or HTTP_PORTS as container images set them, and port 8083 of
    /// this machine.
    /// </summary>
    public static string[] Urls(IConfiguration configuration) =>
        configuration["urls"] is { Length: > 0 } urls ? Split(urls)
        : configuration["http_ports"] is { Length: > 0 } ports ? [.. Split(ports).Select(port => $"http://*:{port}")]
        : ["http://localhost:8083"];

    /// <summary>All addresses at which Kestrel may listen beside the TURN ports: also those that the settings of Kestrel name.</summary>
    public static IEnumerable<string> AllUrls(IConfiguration configuration) =>
        Urls(configuration)
            .Concat(Split(configuration["https_ports"] ?? "").Select(port => $"https://*:{port}"))
            .Concat(configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint["Url"]).OfType<string>());

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
