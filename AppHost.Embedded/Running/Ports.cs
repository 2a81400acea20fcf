using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Running;

/// <summary>Gives every endpoint its port before anything is started, and says in one sentence for each which are taken.</summary>
internal static class Ports
{
    /// <param name="resources">The resources whose endpoints need ports.</param>
    /// <param name="randomize">Tests: free ports instead of those of launch profiles, so that several runs are possible at a time.</param>
    /// <exception cref="DistributedApplicationException">A port is in use.</exception>
    public static void Allocate(IEnumerable<IResource> resources, bool randomize)
    {
        List<string> taken = [];
        List<Socket> held = [];
        try
        {
            foreach (var resource in resources)
            {
                foreach (var endpoint in resource.All<EndpointAnnotation>())
                {
                    var wanted = randomize && endpoint.IsProxied ? null : endpoint.Port;
                    endpoint.AllocatedPort = Hold(endpoint, wanted, held);
                    if (endpoint.AllocatedPort is null) taken.Add(Sentence(resource, endpoint, wanted));
                }
            }
        }
        finally
        {
            held.ForEach(socket => socket.Dispose());
        }

        if (taken.Count > 0) throw new DistributedApplicationException(string.Join(Environment.NewLine, taken));
    }

    private static string Sentence(IResource resource, EndpointAnnotation endpoint, int? port) =>
        $"Port {port} ({(endpoint.Protocol == ProtocolType.Udp ? "UDP" : "TCP")}), on which {resource.Name} is to listen, is in use already. "
        + $"Stop what uses it, or choose another port: {endpoint.ChangedBy}.";

    // The sockets are held until every endpoint has its port: two endpoints never get the same one.
    private static int? Hold(EndpointAnnotation endpoint, int? wanted, List<Socket> held)
    {
        if (wanted is { } port) return TryHold(endpoint, port, held) ? port : null;
        for (var attempt = 0; attempt < 100; attempt++)
        {
            // Below the ephemeral ranges of all systems: while a resource is stopped, no outgoing connection takes its port.
            var candidate = RandomNumberGenerator.GetInt32(20_000, 32_000);
            if (TryHold(endpoint, candidate, held)) return candidate;
        }

        return null;
    }

    private static bool TryHold(EndpointAnnotation endpoint, int port, List<Socket> held)
    {
        foreach (var address in Addresses(endpoint))
        {
            var socket = endpoint.Protocol == ProtocolType.Udp
                ? new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp)
                : new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            held.Add(socket);
            try
            {
                socket.Bind(new IPEndPoint(address, port));
                if (endpoint.Protocol == ProtocolType.Tcp) socket.Listen();
            }
            catch (SocketException)
            {
                return false;
            }
        }

        return true;
    }

    // Kestrel binds "localhost" on both loopback addresses where there are two.
    private static IPAddress[] Addresses(EndpointAnnotation endpoint)
    {
        if (endpoint is { IsHttp: true, TargetHost: "localhost" } && HasIPv6Loopback) return [IPAddress.Loopback, IPAddress.IPv6Loopback];
        return [IPAddress.TryParse(endpoint.TargetHost, out var address) ? address : IPAddress.Loopback];
    }

    private static readonly bool HasIPv6Loopback = CanBindIPv6();

    private static bool CanBindIPv6()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
