using System.Net.Sockets;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A port of a resource. There is no proxy in between: clients and the resource use the same port.</summary>
public sealed class EndpointAnnotation(ProtocolType protocol, string uriScheme, string name, int? port, bool isProxied = true) : IResourceAnnotation
{
    public string Name { get; } = name;

    public ProtocolType Protocol { get; } = protocol;

    public string UriScheme { get; } = uriScheme;

    /// <summary>The port that is asked for; null: any free one.</summary>
    public int? Port { get; set; } = port;

    /// <summary>False: the port must be this one, also in tests.</summary>
    public bool IsProxied { get; set; } = isProxied;

    /// <summary>Whether people or other machines use it; it is then named when all is up.</summary>
    public bool IsExternal { get; set; }

    public string TargetHost { get; set; } = "localhost";

    /// <summary>An environment variable of the resource that takes the port.</summary>
    internal string? PortVariable { get; init; }

    /// <summary>Which setting changes the port, for the sentence that says it is taken.</summary>
    internal string ChangedBy { get; init; } = "";

    internal int? AllocatedPort { get; set; }

    internal bool IsHttp => UriScheme is "http" or "https";

    /// <summary>For people: a URL, or what else one has to know.</summary>
    internal string Address =>
        IsHttp ? $"{UriScheme}://{TargetHost}:{AllocatedPort}" : $"{TargetHost}:{AllocatedPort}/{Protocol.ToString().ToLowerInvariant()}";
}

/// <summary>An endpoint of a resource by name; host, port and URL are known once the application has started.</summary>
public sealed class EndpointReference(IResource owner, string endpointName)
{
    public string EndpointName { get; } = endpointName;

    public string Host => Annotation.TargetHost;

    public int Port => Annotation.AllocatedPort
        ?? throw new InvalidOperationException($"The endpoint '{EndpointName}' of '{owner.Name}' has no port before the application is started.");

    public string Url => $"{Annotation.UriScheme}://{Host}:{Port}";

    internal EndpointAnnotation Annotation => owner.All<EndpointAnnotation>().FirstOrDefault(endpoint => endpoint.Name == EndpointName)
        ?? throw new InvalidOperationException($"'{owner.Name}' has no endpoint '{EndpointName}'.");
}
