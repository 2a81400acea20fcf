using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace WebRtcIms.AppHost.Tests.Fleet;

/// <summary>A process of a part.</summary>
internal sealed record Replica(int ProcessId, Uri Address);

/// <summary>The application with two replicas of each part, as <c>dotnet run --project AppHost -- --replicas=2</c> starts it.</summary>
internal sealed class FleetSystem : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private readonly DistributedApplication _app;
    private readonly DirectoryInfo _data;
    private readonly HttpClient _http = new();
    private readonly ConcurrentDictionary<string, ResourceEvent> _replicas = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _watching;

    private FleetSystem(DistributedApplication app, DirectoryInfo data)
    {
        (_app, _data) = (app, data);
        _watching = WatchAsync();
    }

    public Uri Gateway => _app.GetEndpoint("wic-web", "http");

    public static async Task<FleetSystem> StartAsync()
    {
        var data = Directory.CreateTempSubdirectory("webrtcims-fleet-");
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            ["--replicas=2", $"--data-directory={data.FullName}"], TestContext.Current.CancellationToken);
        var system = new FleetSystem(await builder.BuildAsync(TestContext.Current.CancellationToken), data);
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            limit.CancelAfter(StartLimit);
            await system._app.StartAsync(limit.Token);
            foreach (var part in system.Model.GetProjectResources())
                await system._app.ResourceNotifications.WaitForResourceHealthyAsync(part.Name, limit.Token);
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    private DistributedApplicationModel Model => _app.Services.GetRequiredService<DistributedApplicationModel>();

    /// <summary>The processes of a part, in no order.</summary>
    public IReadOnlyList<Replica> ReplicasOf(string part) =>
    [
        .. from replica in _replicas.Values
           where replica.Resource.Name == part
           let now = replica.Snapshot
           let process = now.Properties.Single(property => property.Name == "executable.pid").Value
           let urls = now.EnvironmentVariables.Single(variable => variable.Name == "ASPNETCORE_URLS").Value
           select new Replica(Convert.ToInt32(process, CultureInfo.InvariantCulture), new Uri(urls!.Split(';')[0])),
    ];

    /// <summary>The process ends at once. The other parts hear nothing from it.</summary>
    public static void Kill(Replica replica)
    {
        using var process = Process.GetProcessById(replica.ProcessId);
        process.Kill();
    }

    /// <summary>Which instances of which parts FlowView has seen in a trace.</summary>
    public async Task<ILookup<string, string>> InstancesInAsync(string traceId)
    {
        using var answer = await _http.GetAsync(new Uri(Gateway, $"/flow/api/traces/{traceId}"), TestContext.Current.CancellationToken);
        if (!answer.IsSuccessStatusCode) return Array.Empty<string>().ToLookup(name => name);
        var trace = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        return trace.GetProperty("spans").EnumerateArray()
            .Select(span => (Service: span.GetProperty("service").GetString()!, Instance: span.GetProperty("instance").GetString()!))
            .Distinct().ToLookup(span => span.Service, span => span.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _watching;
        _end.Dispose();
        _http.Dispose();
        await _app.DisposeAsync();
        _data.Delete(recursive: true);
    }

    private async Task WatchAsync()
    {
        try
        {
            await foreach (var change in _app.ResourceNotifications.WatchAsync(_end.Token)) _replicas[change.ResourceId] = change;
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // Enough.
        }
    }
}
