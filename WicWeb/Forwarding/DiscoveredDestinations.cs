using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.ServiceDiscovery;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>
/// Resolves cluster addresses such as <c>https+http://wwsf</c> with the services' own service discovery
/// (<c>services:wwsf:http:0</c>), and again when the configuration changes.
/// </summary>
internal sealed class DiscoveredDestinations(ServiceEndpointResolver services) : IDestinationResolver
{
    public async ValueTask<ResolvedDestinationCollection> ResolveDestinationsAsync(
        IReadOnlyDictionary<string, DestinationConfig> destinations, CancellationToken cancellationToken)
    {
        Dictionary<string, DestinationConfig> resolved = [];
        List<IChangeToken> changes = [];
        foreach (var (name, destination) in destinations)
        {
            var source = await services.GetEndpointsAsync(destination.Address, cancellationToken);
            changes.Add(source.ChangeToken);
            foreach (var endpoint in source.Endpoints)
                resolved[$"{name}[{resolved.Count}]"] = destination with { Address = AddressOf(endpoint, destination.Address) };
        }
        return new ResolvedDestinationCollection(resolved, new CompositeChangeToken(changes));
    }

    // Configured endpoints are whole URIs. A name that no provider resolves comes back without its scheme.
    private static string AddressOf(ServiceEndpoint endpoint, string requested) =>
        endpoint.EndPoint is UriEndPoint { Uri: var uri }
            ? uri.GetLeftPart(UriPartial.Authority)
            : $"{(requested.StartsWith("https:", StringComparison.OrdinalIgnoreCase) ? "https" : "http")}://{endpoint}";
}
