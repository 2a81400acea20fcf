namespace WebRtcIms.AppHost;

internal static class ServiceResources
{
    /// <summary>A project that is started as its built program and is healthy when <c>GET /health</c> answers 200.</summary>
    public static IResourceBuilder<ProjectResource> AddService<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var service = builder.AddProject<TProject>(name)
            .WithBuiltProgram<TProject>()
            .WithHttpHealthCheck("/health", endpointName: "http")
            // The services speak http behind the proxies; a machine without a development certificate needs no warning.
            .WithoutHttpsCertificate()
            .WithAllowedHosts();

        if (!builder.ExecutionContext.IsRunMode) return service;
        // The launch profiles of the services are for running one by itself and always say Development.
        foreach (var variable in (string[])["DOTNET_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT"])
            service.WithEnvironment(variable, builder.Environment.EnvironmentName);
        // The dashboard ends first. With Aspire's retries each service would try for 5 s to send it the last batch.
        service.WithEnvironment("OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY", "");
        // Aspire's always_on ignores the caller's decision. Polls, which the gateway does not trace, would begin traces at the next part.
        return service.WithEnvironment("OTEL_TRACES_SAMPLER", "parentbased_always_on");
    }

    /// <summary>Names the host under which the other parts reach the service. Outside Development it does not start without one.</summary>
    private static IResourceBuilder<ProjectResource> WithAllowedHosts(this IResourceBuilder<ProjectResource> service) =>
        service.ApplicationBuilder.ExecutionContext.IsRunMode
            ? service.WithEnvironment("AllowedHosts", PublicAddress.HostsOfARun)
            : service.WithEnvironment("AllowedHosts", service.GetEndpoint("http").Property(EndpointProperty.Host));

    /// <summary>What another part said about itself with <c>WithAnnotation</c>.</summary>
    public static TAnnotation Get<TAnnotation>(this IResourceBuilder<IResource> resource)
        where TAnnotation : IResourceAnnotation =>
        resource.Resource.TryGetLastAnnotation<TAnnotation>(out var annotation)
            ? annotation
            : throw new DistributedApplicationException($"{resource.Resource.Name} does not have a {typeof(TAnnotation).Name}.");
}
