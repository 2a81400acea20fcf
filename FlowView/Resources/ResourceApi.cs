using System.Net;

namespace WebRtcIms.FlowView.Resources;

/// <summary>
/// What the embedded AppHost runs, asked of its resource service (<c>FlowView:ResourceService:Url</c> and <c>:Key</c>, which it
/// sets): state, health, addresses and output, and stop, start and restart. 404 where FlowView was started by something else.
/// </summary>
internal static class ResourceApi
{
    private const string KeyHeader = "X-Resource-Service-Key";
    private const string CommandHeader = "X-FlowView-Command";

    public static void AddResources(this WebApplicationBuilder builder)
    {
        var url = builder.Configuration["FlowView:ResourceService:Url"];
        var key = builder.Configuration["FlowView:ResourceService:Key"];
        if (string.IsNullOrEmpty(url) || string.IsNullOrEmpty(key)) return;
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address)) throw new SettingsException($"FlowView:ResourceService:Url is no address: '{url}'");

        // On this machine: neither discovery nor retries have a place in between.
        builder.Services.AddSingleton(new ResourceServiceClient(new HttpClient
        {
            BaseAddress = address,
            DefaultRequestHeaders = { { KeyHeader, key } },
            Timeout = TimeSpan.FromSeconds(30),
        }));
    }

    public static void MapResources(this WebApplication app)
    {
        if (app.Services.GetService<ResourceServiceClient>() is not { } client) return;
        app.MapGet("/flow/api/resources", () => client.SendAsync(HttpMethod.Get, "resources"));
        app.MapGet("/flow/api/resources/{name}/console", (string name) => client.SendAsync(HttpMethod.Get, $"resources/{Uri.EscapeDataString(name)}/console"));
        app.MapGet("/flow/api/resources/commands", (HttpRequest request) => new { Offered = IsDirect(request) });
        app.MapPost("/flow/api/resources/{name}/{command}", (string name, string command, HttpRequest request) =>
            IsDirect(request) && request.Headers.ContainsKey(CommandHeader)
                ? client.SendAsync(HttpMethod.Post, $"resources/{Uri.EscapeDataString(name)}/{Uri.EscapeDataString(command)}")
                : Task.FromResult(Results.StatusCode(StatusCodes.Status403Forbidden)));
    }

    /// <summary>
    /// Whoever only opened a web page must not stop anything: another site's page can neither have a loopback name for its own,
    /// nor send the header of a command without asking first. Through the gateway nobody can; it forwards no POST to here.
    /// </summary>
    private static bool IsDirect(HttpRequest request) =>
        !request.Headers.ContainsKey("X-Forwarded-For")
        && (request.Host.Host == "localhost" || (IPAddress.TryParse(request.Host.Host, out var address) && IPAddress.IsLoopback(address)));
}

/// <summary>Passes the resource service's answers on as they are.</summary>
internal sealed class ResourceServiceClient(HttpClient http)
{
    public async Task<IResult> SendAsync(HttpMethod method, string path)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path);
            using var answer = await http.SendAsync(request);
            return Results.Content(await answer.Content.ReadAsStringAsync(), "application/json", statusCode: (int)answer.StatusCode);
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            return Results.Problem("The AppHost does not answer.", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}
