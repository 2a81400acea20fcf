namespace WebRtcIms.Turn.Settings;

/// <summary>Who may list and end allocations, and revoke.</summary>
internal sealed class ManagementSettings
{
    /// <summary>Also those who reach the management port from another machine. Whoever can do that can end every call.</summary>
    public bool AllowRemote { get; set; }

    /// <summary>ASPNETCORE_URLS; the ports of ASPNETCORE_HTTP_PORTS or HTTP_PORTS, as container images have it; or port 8083 of this machine.</summary>
    public static string[] Urls(IConfiguration configuration) =>
        configuration["urls"] is { Length: > 0 } urls ? Split(urls)
        : configuration["http_ports"] is { Length: > 0 } ports ? [.. Split(ports).Select(port => $"http://*:{port}")]
        : ["http://localhost:8083"];

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
