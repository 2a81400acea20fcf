using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace WebRtcIms.AppHost;

/// <summary>The lines that close a start: where people open the page, the call ladder and the dashboard, and as whom.</summary>
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
            var isDevelopment = ready.Services.GetRequiredService<IHostEnvironment>().IsDevelopment();
            List<string> lines = [$"WebRtcIms is up: open {url}"];
            if (isDevelopment) lines.Add("Accounts:    alice (alice-calls-bob), bob (bob-calls-alice), or continue as guest");
            if (await HasLadderAsync(url, cancel)) lines.Add($"Call ladder: {url}/flow/");
            if (DashboardUrl(notifications) is { } dashboard) lines.Add($"Dashboard:   {dashboard}");
            lines.Add("Stop:        Ctrl+C");
            await Console.Out.WriteLineAsync(string.Join(Environment.NewLine, lines));
        });

    // Aspire adds the log-in token to it. There is no dashboard in tests.
    private static string? DashboardUrl(ResourceNotificationService notifications) =>
        notifications.TryGetCurrentState("aspire-dashboard", out var dashboard)
            ? dashboard.Snapshot.Urls.FirstOrDefault(url => url.Name is "http" or "https")?.Url
            : null;

    // The gateway decides by its settings who may read it. Without readers the path does not exist.
    private static async Task<bool> HasLadderAsync(string gateway, CancellationToken cancel)
    {
        using var handler = new HttpClientHandler { AllowAutoRedirect = false };
        using var http = new HttpClient(handler);
        try
        {
            using var answer = await http.GetAsync(new Uri($"{gateway}/flow/"), cancel);
            return answer.StatusCode != HttpStatusCode.NotFound;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
