using Microsoft.Extensions.DependencyInjection;

namespace WebRtcIms.AppHost;

/// <summary>The lines that close a start: where people open the page and the call ladder.</summary>
internal static class StartMessage
{
    /// <summary>Prints them when the gateway is ready and every service is healthy.</summary>
    public static IResourceBuilder<ProjectResource> WithStartMessage(this IResourceBuilder<ProjectResource> gateway) =>
        gateway.OnResourceReady(async (_, ready, cancel) =>
        {
            var notifications = ready.Services.GetRequiredService<ResourceNotificationService>();
            var others = ready.Services.GetRequiredService<DistributedApplicationModel>().GetProjectResources()
                .Where(service => service != gateway.Resource);
            foreach (var service in others) await notifications.WaitForResourceHealthyAsync(service.Name, cancel);

            var url = gateway.GetEndpoint("http").Url;
            await Console.Out.WriteLineAsync($"""
                WebRtcIms is up: open {url}
                Call ladder: {url}/flow/
                """);
        });
}
