using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The frame of every service's <c>Program.cs</c>: service defaults, what the service adds, the checks of every request, what the service
/// maps, the default endpoints.
/// A start that fails because of a setting or a busy port is one message on standard error and the exit code 1.
/// </summary>
public static partial class ServiceHost
{
    // It logs four records at the start. One is enough.
    private const string HostLines = "Microsoft.Hosting.Lifetime";

    /// <summary>Runs a service until it is told to stop.</summary>
    /// <param name="name">The part's name, for messages: <c>WAF</c>.</param>
    /// <param name="args">The command line.</param>
    /// <param name="add">Registers the service's own parts.</param>
    /// <param name="map">Adds middleware and endpoints, in order. <c>/health</c> and <c>/alive</c> come after it.</param>
    /// <param name="ports">The settings that choose the ports, for the message about a busy one.</param>
    /// <param name="requiresHosts">
    /// Whether <c>AllowedHosts</c> is needed outside Development. Without it a service answers only for names of loopback.
    /// </param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        string name, string[] args, Action<WebApplicationBuilder> add, Action<WebApplication> map, string ports = "ASPNETCORE_URLS",
        bool requiresHosts = true)
    {
        if (HealthCommand.Is(args)) return await HealthCommand.RunAsync().ConfigureAwait(false);
        if (FileDescriptors.Limit < FileDescriptors.Least)
        {
            await Console.Error.WriteLineAsync(
                $"{name} cannot start. The limit of open files (ulimit -n) is {FileDescriptors.Limit}; "
                + $"it needs {FileDescriptors.Least} or more, and more for each connection.").ConfigureAwait(false);
            return 1;
        }

        var isStarted = false;
        try
        {
            var builder = WebApplication.CreateBuilder(args);
            builder.WebHost.ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                // The host of a target in absolute form replaces that of the header (RFC 9112 §3.2.2).
                kestrel.AllowHostHeaderOverride = true;
            });
            builder.AddServiceDefaults();
            builder.Logging.AddFilter(HostLines, LogLevel.Warning);
            KestrelCertificates.AddTo(builder);
            add(builder);
            HostCheck.AddTo(builder, requiresHosts);
            ReadableHosts.AddTo(builder.Services);
            builder.Services.AddSingleton<IStartupFilter, HeadRequests>();
            await using var app = builder.Build();
            app.UseExceptionHandler();
            HeadRequests.RestoreIn(app);
            BodyFormat.CheckIn(app);
            map(app);
            app.MapDefaultEndpoints();
            if (!await StartAsync(app).ConfigureAwait(false)) return 0;
            isStarted = true;
            if (!HasOwnLines(app)) LogStarted(app.Logger, name, string.Join(", ", app.Urls), app.Environment.EnvironmentName);
            await app.WaitForShutdownAsync().ConfigureAwait(false);
            return 0;
        }
        catch (Exception error) when (!isStarted && StartErrors.Describe(error, ports) is { } problem)
        {
            await Console.Error.WriteLineAsync($"{name} cannot start. {problem}").ConfigureAwait(false);
            return 1;
        }
    }

    // A part whose ports are not those of HTTP turns off the lines of the host, and logs its listeners itself.
    private static bool HasOwnLines(WebApplication app) => app.Configuration[$"Logging:LogLevel:{HostLines}"] is not null;

    [LoggerMessage(1, LogLevel.Information, "{Name} listens on {Addresses}, environment {Environment}")]
    private static partial void LogStarted(ILogger logger, string name, string addresses, string environment);

    // A host that is only disposed cancels the background services that have started, also those that no thread has run yet. It logs each
    // as a crash, with a stack trace (dotnet/runtime#98935). A host that is stopped expects their end.
    // False if a signal ended the start.
    private static async Task<bool> StartAsync(WebApplication app)
    {
        try
        {
            await app.StartAsync().ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await StopAsync(app).ConfigureAwait(false);
            return false;
        }
        catch
        {
            await StopAsync(app).ConfigureAwait(false);
            throw;
        }
    }

    private static async Task StopAsync(WebApplication app)
    {
        try
        {
            await app.StopAsync().ConfigureAwait(false);
        }
        catch (Exception error) when (error is AggregateException or OperationCanceledException or InvalidOperationException)
        {
            // A service that has not started may not be able to stop. The cause of the failed start is what counts.
        }
    }
}
