namespace WebRtcIms.AppHost;

internal static class CallLadder
{
    /// <summary>Adds FlowView. Its pages link to the same trace in Aspire's dashboard, where there is one.</summary>
    public static IResourceBuilder<ProjectResource> AddCallLadder(this IDistributedApplicationBuilder builder, string name)
    {
        var flowView = builder.AddService<Projects.FlowView>(name)
            .WithUrlForEndpoint("http", url => url.DisplayText = "OTLP")
            .WithIconName("ArrowStepInRight");
        if (DashboardUrl(builder) is { } dashboard)
            flowView.WithEnvironment("FlowView__TraceUrl", $"{dashboard}/traces/detail/{{trace_id}}");
        return flowView;
    }

    /// <summary>Sends the service's telemetry to the call ladder also. The service never waits for it.</summary>
    public static IResourceBuilder<ProjectResource> WithCallLadder(this IResourceBuilder<ProjectResource> service,
        IResourceBuilder<ProjectResource> flowView) =>
        service.WithEnvironment("FlowView__Endpoint", flowView.GetEndpoint("http"));

    // Published applications have another dashboard, if any; in tests there is none.
    private static string? DashboardUrl(IDistributedApplicationBuilder builder) =>
        builder.ExecutionContext.IsRunMode ? builder.Configuration["ASPNETCORE_URLS"]?.Split(';')[0].TrimEnd('/') : null;
}
