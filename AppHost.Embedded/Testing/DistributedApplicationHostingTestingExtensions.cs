using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Testing;

/// <summary>What a test asks a started application for.</summary>
public static class DistributedApplicationHostingTestingExtensions
{
    /// <summary>The address of an endpoint; without a name, of its HTTP endpoint.</summary>
    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = null)
    {
        var resource = Find<IResourceWithEndpoints>(app, resourceName);
        var name = endpointName ?? resource.All<EndpointAnnotation>().FirstOrDefault(endpoint => endpoint.IsHttp)?.Name
            ?? throw new ArgumentException($"'{resourceName}' has no HTTP endpoint.", nameof(resourceName));
        return new Uri(new EndpointReference(resource, name).Url);
    }

    public static HttpClient CreateHttpClient(this DistributedApplication app, string resourceName, string? endpointName = null) =>
        new() { BaseAddress = app.GetEndpoint(resourceName, endpointName) };

    public static ValueTask<string?> GetConnectionStringAsync(
        this DistributedApplication app, string resourceName, CancellationToken cancellationToken = default) =>
        Find<IResourceWithConnectionString>(app, resourceName).GetConnectionStringAsync(cancellationToken);

    private static T Find<T>(DistributedApplication app, string name)
        where T : IResource =>
        app.Resources.OfType<T>().SingleOrDefault(resource => resource.Name == name)
            ?? throw new ArgumentException($"The application has no {typeof(T).Name} '{name}'.", nameof(name));
}
