namespace WebRtcIms.AppHost;

/// <summary>The origins at which browsers have the page.</summary>
internal sealed record PageAnnotation(IReadOnlyList<ReferenceExpression> Origins) : IResourceAnnotation;

internal static class Gateway
{
    private const int PublicPort = 8443;
    private const string PublicOrigin = "public-origin";

    /// <summary>
    /// Adds the gateway: http on loopback, and https at <paramref name="publicAddress"/> on the setting <c>{name}-port</c> where there is
    /// one. There it is not behind a proxy, which would hide the addresses of its clients, so it has no replicas.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddGateway(this IDistributedApplicationBuilder builder, string name,
        PublicAddress? publicAddress, int replicas)
    {
        var gateway = builder.AddService<Projects.WicWeb>(name)
            .WithReplicas(publicAddress is null ? replicas : 1)
            .WithExternalHttpEndpoints()
            .WithUrlForEndpoint("http", url => url.DisplayText = "Call page")
            .WithUrlForEndpoint("http", _ => new ResourceUrlAnnotation { Url = "/flow/", DisplayText = "Call ladder" })
            .WithIconName("Call");
        List<ReferenceExpression> origins = [];
        if (builder.ExecutionContext.IsRunMode) origins.Add(ReferenceExpression.Create($"{gateway.GetEndpoint("http")}"));
        else
        {
            var origin = ReferenceExpression.Create($"{builder.AddPublicOrigin()}");
            origins.Add(origin);
            gateway.WithEnvironment("AllowedHosts", origin);
        }

        if (publicAddress is not null)
        {
            var atPublicAddress = new PublicGateway(publicAddress, builder.Port(name, PublicPort, publicAddress.Ip));
            atPublicAddress.Open(gateway);
            origins.Add(ReferenceExpression.Create($"{atPublicAddress.Url}"));
        }

        gateway.WithAnnotation(new PageAnnotation(origins));
        return TestCall.AddTo(gateway).WithStartMessage();
    }

    // A deployment decides where the page is.
    private static IResourceBuilder<ParameterResource> AddPublicOrigin(this IDistributedApplicationBuilder builder) =>
        builder.AddParameter(PublicOrigin)
            .WithDescription("The origin at which browsers have the page, such as https://phone.example.com.");
}
