using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace WebRtcIms.AppHost;

/// <summary>
/// Stops parts for a demonstration and starts them again after some seconds, also when the page that asked is gone. It listens on
/// loopback, and only the WWSF has the key of this run.
/// </summary>
internal sealed partial class PartBreaker(IReadOnlyList<string> parts, TimeProvider time)
{
    /// <summary>How long a part stays down.</summary>
    public static readonly TimeSpan Outage = TimeSpan.FromSeconds(6);

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);

    private readonly string _key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    // When each part was stopped.
    private readonly ConcurrentDictionary<string, long> _broken = new();
    private string? _address;

    /// <summary>Lets the page of <paramref name="wwsf"/> stop these parts. Only in runs in Development.</summary>
    public static IResourceBuilder<TResource> AddTo<TResource>(
        IResourceBuilder<TResource> wwsf, IEnumerable<IResourceBuilder<IResource>> parts)
        where TResource : IResourceWithEnvironment
    {
        var builder = wwsf.ApplicationBuilder;
        if (!builder.ExecutionContext.IsRunMode || !builder.Environment.IsDevelopment()) return wwsf;
        // A Redis server of the settings is not ours to stop.
        var breaker = new PartBreaker(
            [
                .. from part in parts
                   where part.Resource is ProjectResource or ExecutableResource or ContainerResource
                   select part.Resource.Name,
            ],
            TimeProvider.System);
        builder.Eventing.Subscribe<BeforeStartEvent>((start, cancel) => breaker.ListenAsync(start.Services, cancel));
        return wwsf.WithEnvironment(context =>
        {
            if (breaker._address is not { } address) return;
            context.EnvironmentVariables["Wwsf__Stage__Control"] = address;
            context.EnvironmentVariables["Wwsf__Stage__ControlKey"] = breaker._key;
        });
    }

    private async Task ListenAsync(IServiceProvider application, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(application.GetRequiredService<ResourceNotificationService>());
        builder.Services.AddSingleton(application.GetRequiredService<ResourceCommandService>());
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        var app = builder.Build();
        app.Use((context, next) =>
        {
            if (Knows(context.Request.Headers.Authorization.ToString())) return next(context);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        var logger = application.GetRequiredService<ILogger<PartBreaker>>();
        var stopping = application.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        app.MapGet("/parts", (ResourceNotificationService resources) => parts.Select(part => StateOf(part, resources)));
        app.MapPost("/parts/{name}/break", (string name, ResourceNotificationService resources, ResourceCommandService commands) =>
        {
            if (!parts.Contains(name)) return Results.NotFound();
            if (StateOf(name, resources).State != "up" || !_broken.TryAdd(name, time.GetTimestamp())) return Results.Conflict();
            LogBroken(logger, name, Outage.TotalSeconds);
            _ = BreakAsync(name, resources, commands, logger, stopping);
            return Results.Accepted();
        });
        await app.StartAsync(cancellationToken);
        stopping.Register(() => _ = app.StopAsync(CancellationToken.None));
        _address = app.Urls.Single();
    }

    private bool Knows(string authorization) => CryptographicOperations.FixedTimeEquals(
        Encoding.UTF8.GetBytes(authorization), Encoding.UTF8.GetBytes($"Bearer {_key}"));

    private PartState StateOf(string part, ResourceNotificationService resources)
    {
        var now = resources.TryGetCurrentState(part, out var current) ? current.Snapshot : null;
        var isBroken = _broken.TryGetValue(part, out var stopped);
        var left = isBroken ? Left(stopped).TotalSeconds : (double?)null;
        var state = now?.State?.Text;
        if (state == KnownResourceStates.Running)
        {
            var isHealthy = now!.HealthStatus is null or HealthStatus.Healthy or HealthStatus.Degraded;
            // The orchestrator notices the end of a process a moment later.
            return left > 0 ? new(part, "down", left) : new(part, isHealthy && !isBroken ? "up" : "starting", left);
        }

        return new(part, left > 0 || KnownResourceStates.TerminalStates.Contains(state) ? "down" : "starting", left);
    }

    private TimeSpan Left(long stopped)
    {
        var left = Outage - time.GetElapsedTime(stopped);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private async Task BreakAsync(
        string part, ResourceNotificationService resources, ResourceCommandService commands, ILogger logger, CancellationToken stopping)
    {
        try
        {
            await commands.ExecuteCommandAsync(part, KnownResourceCommands.StopCommand, stopping);
            // A start that comes before the orchestrator has noticed the end of the process is sometimes lost.
            await WaitAsync(
                cancel => resources.WaitForResourceAsync(part, KnownResourceStates.TerminalStates, cancel), StopLimit, stopping);
            await Task.Delay(Left(_broken[part]), time, stopping);
            for (var isHealthy = false; !isHealthy;)
            {
                await commands.ExecuteCommandAsync(part, KnownResourceCommands.StartCommand, stopping);
                isHealthy = await WaitAsync(cancel => resources.WaitForResourceHealthyAsync(
                    part, WaitBehavior.WaitOnResourceUnavailable, cancel), StartLimit, stopping);
            }

            LogRestarted(logger, part);
        }
        catch (OperationCanceledException)
        {
            // The application ends, and so do its parts.
        }
        finally
        {
            _broken.TryRemove(part, out _);
        }
    }

    private static async Task<bool> WaitAsync(Func<CancellationToken, Task> wait, TimeSpan limit, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        either.CancelAfter(limit);
        try
        {
            await wait(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return false;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "The page stopped {Part} for a demonstration. It starts again after {Seconds} s.")]
    private static partial void LogBroken(ILogger logger, string part, double seconds);

    [LoggerMessage(2, LogLevel.Information, "{Part} works again after a demonstration.")]
    private static partial void LogRestarted(ILogger logger, string part);

    private sealed record PartState(string Name, string State, double? RestartsIn);
}
