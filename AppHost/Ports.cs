using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace WebRtcIms.AppHost;

/// <summary>Ports that clients have to know: from a setting, or the usual one, or in tests a free one.</summary>
internal static class Ports
{
    /// <summary>The setting <c>{resource}-port</c>, or <paramref name="usual"/>. With <c>DcpPublisher:RandomizePorts</c>, as in tests, a free port.</summary>
    /// <exception cref="DistributedApplicationException">The setting is not a port.</exception>
    public static int Port(this IDistributedApplicationBuilder builder, string resource, int usual, string address)
    {
        var text = builder.Configuration[$"{resource}-port"];
        if (string.IsNullOrWhiteSpace(text)) return RandomizesPorts(builder) ? FreePort(IPAddress.Parse(address)) : usual;
        if (int.TryParse(text, out var port) && port is > 0 and <= ushort.MaxValue) return port;
        throw new DistributedApplicationException($"{resource}-port must be a port from 1 to 65535; it is '{text}'.");
    }

    /// <summary>Stops the start with one sentence for each port of the model that another program uses.</summary>
    public static void CheckPorts(this IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsRunMode) return;
        builder.Eventing.Subscribe<BeforeStartEvent>((start, _) =>
        {
            var randomize = RandomizesPorts(builder);
            var taken = from resource in start.Model.Resources
                        from endpoint in resource.Annotations.OfType<EndpointAnnotation>()
                        where endpoint.Port is not null && !(randomize && endpoint.IsProxied) && IsTaken(endpoint)
                        select $"Port {endpoint.Port} ({endpoint.Protocol.ToString().ToUpperInvariant()}), on which {resource.Name} is to listen, is in use. "
                            + $"Stop the program that uses it, or choose another port: {SettingOf(resource, endpoint)}.";
            var problems = taken.ToList();
            return problems.Count == 0 ? Task.CompletedTask : throw new DistributedApplicationException(string.Join(Environment.NewLine, problems));
        });
    }

    private static bool RandomizesPorts(IDistributedApplicationBuilder builder) =>
        builder.ExecutionContext.IsRunMode && builder.Configuration.GetValue<bool>("DcpPublisher:RandomizePorts");

    private static string SettingOf(IResource resource, EndpointAnnotation endpoint) => resource switch
    {
        ProjectResource when endpoint.UriScheme is "http" or "https" => $"applicationUrl in the launchSettings.json of {resource.Name}",
        ProjectResource => $"{resource.Name}-port (dotnet run --project AppHost -- --{resource.Name}-port=<port>)",
        _ => "Properties/launchSettings.json of the AppHost",
    };

    private static bool IsTaken(EndpointAnnotation endpoint)
    {
        var address = IPAddress.TryParse(endpoint.TargetHost, out var own) ? own : IPAddress.Loopback;
        using var socket = endpoint.Protocol == ProtocolType.Udp
            ? new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp)
            : new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, endpoint.Port!.Value));
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    // Free for UDP and for TCP.
    private static int FreePort(IPAddress address)
    {
        while (true)
        {
            using var tcp = new TcpListener(address, 0);
            tcp.Start();
            var endpoint = (IPEndPoint)tcp.LocalEndpoint;
            using var udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                udp.Bind(endpoint);
                return endpoint.Port;
            }
            catch (SocketException)
            {
                // Taken for UDP: try the next one.
            }
        }
    }
}
