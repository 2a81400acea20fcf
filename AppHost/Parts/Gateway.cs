namespace WebRtcIms.AppHost;

internal static class Gateway
{
    private const int PublicPort = 8443;

    /// <summary>
    /// Adds the gateway: http on loopback, and https at <paramref name="publicAddress"/> on the setting <c>{name}-port</c> where there is
    /// one.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddGateway(this IDistributedApplicationBuilder builder, string name,
        PublicAddress? publicAddress)
    {
        var gateway = builder.AddService<Projects.WicWeb>(name)
            .WithExternalHttpEndpoints()
            .WithUrlForEndpoint("http", url => url.DisplayText = "Call page")
            .WithUrlForEndpoint("http", _ => new ResourceUrlAnnotation { Url = "/flow/", DisplayText = "Call ladder" })
            .WithIconName("Call");
        if (builder.ExecutionContext.IsPublishMode)
        {
            gateway.WithEnvironment("AllowedHosts", builder.AddParameter("public-hosts")
                .WithDescription("Hosts under which browsers reach the gateway, separated by semicolons: phone.example.com."));
        }

        if (publicAddress is not null) new PublicGateway(publicAddress, builder.Port(name, PublicPort, publicAddress.Ip)).Open(gateway);
        return TestCall.AddTo(gateway).WithStartMessage();
    }
}
