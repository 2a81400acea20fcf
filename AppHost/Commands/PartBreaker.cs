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
/// Stops parts for a demonstration and starts them again after some seconds, also when the page that asked is gone. A part stops with all
/// its replicas. It listens on loopback, and only the WWSF has the key of this run.
/// </summary>
internal sealed partial class PartBreaker(IReadOnlyDictionary<string, IReadOnlyList<IResource>> parts, TimeProvider time)
{
    /// <summary>How long a part stays down.</summary>
    public static readonly TimeSpan Outage = TimeSpan.FromSeconds(6);

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    private readonly string _key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    // When each part was stopped.
    private readonly ConcurrentDictionary<string, long> _broken = new();

    // The replicas of all resources, by their ids.
    private readonly ConcurrentDictionary<string, ResourceEvent> _replicas = new();
    private string? _address;

    /// <summary>
    /// Lets the page of <paramref name="wwsf"/> stop these parts, each with the name of its first resource. Only in runs in Development.
    /// </summary>
    public static IResourceBuilder<TResource> AddTo<TResource>(
        IResourceBuilder<TResource> wwsf, IEnumerable<IReadOnlyList<IResourceBuilder<IResource>>> parts)
        where TResource : IResourceWithEnvironment
    {
        var builder = wwsf.ApplicationBuilder;
        if (!builder.ExecutionContext.IsRunMode || !builder.Environment.IsDevelopment()) return wwsf;
        // A Redis server of the settings is not ours to stop.
        var ours = from part in parts
                   select part.Select(entry => entry.Resource).ToList() into resources
                   where resources.TrueForAll(resource => resource is ProjectResource or ExecutableResource or ContainerResource)
                   select resources;
        var breaker = new PartBreaker(
            ours.ToDictionary(resources => resources[0].Name, resources => (IReadOnlyList<IResource>)resources), TimeProvider.System);
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
        _ = WatchAsync(application.GetRequiredService<ResourceNotificationService>(), stopping);
        app.MapGet("/parts", () => parts.Keys.Select(StateOf));
        app.MapPost("/parts/{name}/break", (string name, ResourceCommandService commands) =>
        {
            if (!parts.ContainsKey(name)) return Results.NotFound();
            if (StateOf(name).State != "up" || !_broken.TryAdd(name, time.GetTimestamp())) return Results.Conflict();
            LogBroken(logger, name, Outage.TotalSeconds);
            _ = BreakAsync(name, commands, logger, stopping);
            return Results.Accepted();
        });
        await app.StartAsync(cancellationToken);
        stopping.Register(() => _ = app.StopAsync(CancellationToken.None));
        _address = app.Urls.Single();
    }

    private bool Knows(string authorization) => CryptographicOperations.FixedTimeEquals(
        Encoding.UTF8.GetBytes(authorization), Encoding.UTF8.GetBytes($"Bearer {_key}"));

    private async Task WatchAsync(ResourceNotificationService resources, CancellationToken stopping)
    {
        try
        {
            await foreach (var change in resources.WatchAsync(stopping)) _replicas[change.ResourceId] = change;
        }
        catch (OperationCanceledException)
        {
            // The application ends.
        }
    }

    private PartState StateOf(string part)
    {
        var replicas = StatesOf(part);
        var isBroken = _broken.TryGetValue(part, out var stopped);
        var left = isBroken ? Left(stopped).TotalSeconds : (double?)null;
        // The orchestrator notices the end of a process a moment later.
        if (left > 0) return new(part, "down", left);
        // It works as long as one replica does.
        if (replicas.Contains("up")) return new(part, isBroken ? "starting" : "up", left);
        return new(part, replicas.Count > 0 && replicas.TrueForAll(state => state == "down") ? "down" : "starting", left);
    }

    private static string StateOf(CustomResourceSnapshot now)
    {
        var state = now.State?.Text;
        if (KnownResourceStates.TerminalStates.Contains(state)) return "down";
        return state == KnownResourceStates.Running && now.HealthStatus is null or HealthStatus.Healthy or HealthStatus.Degraded
            ? "up" : "starting";
    }

    private List<string> StatesOf(string part) =>
        [.. _replicas.Values.Where(replica => parts[part].Contains(replica.Resource)).Select(replica => StateOf(replica.Snapshot))];

    private TimeSpan Left(long stopped)
    {
        var left = Outage - time.GetElapsedTime(stopped);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private async Task BreakAsync(string part, ResourceCommandService commands, ILogger logger, CancellationToken stopping)
    {
        try
        {
            await ExecuteAsync(KnownResourceCommands.StopCommand);
            // A start that comes before the orchestrator has noticed the end of the process is sometimes lost.
            await UntilAllAreAsync("down", StopLimit);
            await Task.Delay(Left(_broken[part]), time, stopping);
            for (var isHealthy = false; !isHealthy;)
            {
                await ExecuteAsync(KnownResourceCommands.StartCommand);
                isHealthy = await UntilAllAreAsync("up", StartLimit);
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

        Task ExecuteAsync(string command) =>
            Task.WhenAll(parts[part].Select(resource => commands.ExecuteCommandAsync(resource, command, stopping)));

        async Task<bool> UntilAllAreAsync(string state, TimeSpan limit)
        {
            var started = time.GetTimestamp();
            while (StatesOf(part).Exists(other => other != state))
            {
                if (time.GetElapsedTime(started) > limit) return false;
                await Task.Delay(Poll, time, stopping);
            }

            return true;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "The page stopped {Part} for a demonstration. It starts again after {Seconds} s.")]
    private static partial void LogBroken(ILogger logger, string part, double seconds);

    [LoggerMessage(2, LogLevel.Information, "{Part} works again after a demonstration.")]
    private static partial void LogRestarted(ILogger logger, string part);

    private sealed record PartState(string Name, string State, double? RestartsIn);
}
