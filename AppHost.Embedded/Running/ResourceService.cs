using System.Net;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>
/// Tells the dashboard what runs: state, health, addresses and output of each resource, and takes its start, stop and restart.
/// The dashboard is the resource called <see cref="Dashboard"/>; it alone gets the address and the key. Loopback only.
/// </summary>
internal sealed class ResourceService(
    IReadOnlyList<IResource> resources, ResourceNotificationService notifications, ResourceLoggerService logs, ResourceCommandService commands) : IAsyncDisposable
{
    public const string Dashboard = "flow-view";

    private const string KeyHeader = "X-Resource-Service-Key";

    private readonly string _key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
    private readonly IReadOnlyList<IResource> _shown = [.. resources.Where(resource => resource is not ParameterResource)];
    private WebApplication? _app;

    /// <summary>What the dashboard's environment gets. The first call starts the service.</summary>
    public async Task<IReadOnlyDictionary<string, string>> EnvironmentAsync(CancellationToken cancellationToken)
    {
        _app ??= await StartAsync(cancellationToken);
        return new Dictionary<string, string>
        {
            ["FlowView__ResourceService__Url"] = _app.Urls.Single(),
            ["FlowView__ResourceService__Key"] = _key,
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
    }

    private async Task<WebApplication> StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRouting();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Use(AdmitDashboardAsync);
        app.MapGet("/resources", () => _shown.Select(Describe));
        app.MapGet("/resources/{name}/console", ReadConsoleAsync);
        app.MapPost("/resources/{name}/{command}", ExecuteAsync);
        await app.StartAsync(cancellationToken);
        return app;
    }

    private Task AdmitDashboardAsync(HttpContext context, RequestDelegate next)
    {
        var given = Encoding.UTF8.GetBytes(context.Request.Headers[KeyHeader].ToString());
        if (CryptographicOperations.FixedTimeEquals(given, Encoding.UTF8.GetBytes(_key))) return next(context);
        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        return Task.CompletedTask;
    }

    private object Describe(IResource resource)
    {
        var snapshot = notifications.Latest(resource.Name)?.Snapshot;
        return new
        {
            resource.Name,
            State = snapshot?.State?.Text ?? KnownResourceStates.NotStarted,
            Health = snapshot?.HealthStatus?.ToString(),
            snapshot?.Reason,
            Urls = resource.All<EndpointAnnotation>().Select(endpoint => endpoint.Address),
        };
    }

    private async Task<IResult> ReadConsoleAsync(string name)
    {
        if (_shown.All(resource => resource.Name != name)) return Results.NotFound();
        var lines = new List<LogLine>();
        await foreach (var batch in logs.GetAllAsync(name)) lines.AddRange(batch);
        return Results.Ok(lines.TakeLast(1000).Select(line => new { Number = line.LineNumber, Text = line.Content, Error = line.IsErrorMessage }));
    }

    private async Task<IResult> ExecuteAsync(string name, string command)
    {
        var result = await commands.ExecuteCommandAsync(name, command);
        return result.Success ? Results.NoContent() : Results.Problem(result.ErrorMessage, statusCode: StatusCodes.Status409Conflict);
    }
}
