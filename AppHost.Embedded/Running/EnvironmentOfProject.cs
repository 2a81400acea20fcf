using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Running;

/// <summary>
/// What Aspire 13.5.2 puts into the environment of a project when it runs it, besides what the process inherits. A service
/// cannot tell which engine started it.
/// </summary>
internal sealed class EnvironmentOfProject(IConfiguration configuration, IHostEnvironment host, bool color)
{
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];

    public async Task<IReadOnlyDictionary<string, string>> BuildAsync(ProjectResource project, CancellationToken cancellationToken)
    {
        var variables = new Dictionary<string, string>
        {
            ["DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION"] = color ? "true" : "false",
            ["LOGGING__CONSOLE__FORMATTERNAME"] = "simple",
        };
        AddTelemetry(variables, project.Name);

        var context = new EnvironmentCallbackContext(variables, cancellationToken);
        foreach (var annotation in project.All<EnvironmentCallbackAnnotation>()) await annotation.Callback(context);

        var endpoints = project.All<EndpointAnnotation>().ToList();
        foreach (var endpoint in endpoints.Where(endpoint => endpoint.PortVariable is not null))
            variables.TryAdd(endpoint.PortVariable!, $"{endpoint.AllocatedPort}");

        // Aspire leaves an endpoint whose port has a variable of its own to the project.
        var urls = endpoints.Where(endpoint => endpoint.IsHttp && endpoint.PortVariable is null)
            .Select(endpoint => $"{endpoint.UriScheme}://{endpoint.TargetHost}:{endpoint.AllocatedPort}")
            .ToList();
        if (urls.Count > 0) variables.TryAdd("ASPNETCORE_URLS", string.Join(';', urls));
        return variables;
    }

    // As Aspire, which always has a dashboard, tells who a service is whether or not the host's configuration names a collector.
    private void AddTelemetry(Dictionary<string, string> variables, string service)
    {
        if (configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { } collector && !string.IsNullOrWhiteSpace(collector))
        {
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector;
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] ?? "http/protobuf";
            if (configuration["OTEL_EXPORTER_OTLP_HEADERS"] is { } headers) variables["OTEL_EXPORTER_OTLP_HEADERS"] = headers;
        }

        variables["OTEL_SERVICE_NAME"] = service;
        variables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={service}-{_run}";
        variables["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory";
        if (!host.IsDevelopment()) return;

        // A person is watching: everything, and soon.
        variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
        variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
        variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
        variables["OTEL_TRACES_SAMPLER"] = "always_on";
        variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
        variables["OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION"] = "true";
        variables["OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION"] = "true";
    }
}
