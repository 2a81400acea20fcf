namespace WebRtcIms.AppHost;

/// <summary>
/// Finds ports that other programs use before anything is started: a service or the orchestrator would fail with less to go by.
/// </summary>
internal static class BusyPorts
{
    private static readonly string[] DashboardSettings =
        ["ASPNETCORE_URLS", "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"];

    /// <summary>Stops the start with one sentence for each port, of the model or of the dashboard, that another program uses.</summary>
    public static void CheckPorts(this IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsRunMode) return;
        builder.Eventing.Subscribe<BeforeStartEvent>((start, _) =>
        {
            var taken = Listeners(start.Model, builder).Where(IsTaken)
                .Select(listener =>
                    $"Port {listener.Port} ({listener.Protocol.ToString().ToUpperInvariant()}), on which {listener.Name} is to listen, is "
                    + $"in use. Stop the program that uses it, or choose another port: {listener.Setting}.").ToList();
            return taken.Count == 0
                ? Task.CompletedTask : throw new DistributedApplicationException(string.Join(Environment.NewLine, taken));
        });
    }

    private static IEnumerable<Listener> Listeners(DistributedApplicationModel model, IDistributedApplicationBuilder builder)
    {
        var randomizes = builder.RandomizesPorts();
        var ofParts = from resource in model.GetProjectResources()
                      from endpoint in resource.Annotations.OfType<EndpointAnnotation>()
                      where endpoint.Port is not null && !(randomizes && endpoint.IsProxied)
                      select new Listener(resource.Name, AddressOf(endpoint.TargetHost), endpoint.Port ?? 0, endpoint.Protocol,
                          SettingOf(resource, endpoint));
        return randomizes ? ofParts : ofParts.Concat(ListenersOfDashboard(builder));
    }

    private static IEnumerable<Listener> ListenersOfDashboard(IDistributedApplicationBuilder builder) =>
        from setting in DashboardSettings
        from url in (builder.Configuration[setting] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries)
        where Uri.TryCreate(url, UriKind.Absolute, out _)
        select new Listener("the dashboard", IPAddress.Loopback, new Uri(url).Port, ProtocolType.Tcp,
            $"{setting} (launchSettings.json of the AppHost)");

    private static string SettingOf(ProjectResource resource, EndpointAnnotation endpoint) => endpoint.UriScheme is "http" or "https"
        ? $"applicationUrl in the launchSettings.json of {resource.Name}"
        : $"{resource.Name}-port (dotnet run --project AppHost -- --{resource.Name}-port=<port>)";

    private static IPAddress AddressOf(string host) => IPAddress.TryParse(host, out var address) ? address : IPAddress.Loopback;

    private static bool IsTaken(Listener listener)
    {
        using var socket = listener.Protocol == ProtocolType.Udp
            ? new Socket(listener.Address.AddressFamily, SocketType.Dgram, ProtocolType.Udp)
            : new Socket(listener.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(listener.Address, listener.Port));
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private sealed record Listener(string Name, IPAddress Address, int Port, ProtocolType Protocol, string Setting);
}
