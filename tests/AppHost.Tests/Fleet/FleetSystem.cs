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

/// <summary>
/// The application with two replicas of each part, as <c>dotnet run --project AppHost -- --replicas=2</c> starts it. It takes long to
/// start, so the tests of a class share it. Each begins with <see cref="StartAsync()"/>.
/// </summary>
public sealed class FleetSystem : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private static readonly string[] TurnServers = ["turn", "turn-2"];

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("webrtcims-fleet-");
    private readonly HttpClient _http = new();
    private readonly ConcurrentDictionary<string, ResourceEvent> _replicas = new();
    private readonly ConcurrentDictionary<int, bool> _killed = new();
    private readonly CancellationTokenSource _end = new();
    private DistributedApplication? _app;
    private Task _watching = Task.CompletedTask;

    public Uri Gateway => App.GetEndpoint("wic-web", "http");

    private DistributedApplication App => _app ?? throw new InvalidOperationException("not started");

    /// <summary>
    /// Starts the system before the first test, and the TURN servers that an earlier test has killed. The web parts keep one replica,
    /// which is enough for a call.
    /// </summary>
    public async Task StartAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(StartLimit);
        if (_app is null) await StartAllAsync(limit.Token);
        foreach (var server in TurnServers.Where(server => ReplicasOf(server) is []))
        {
            await App.ResourceNotifications.WaitForResourceAsync(server, KnownResourceStates.TerminalStates, limit.Token);
            await App.ResourceCommands.ExecuteCommandAsync(server, KnownResourceCommands.StartCommand, limit.Token);
            while (ReplicasOf(server) is []) await Task.Delay(50, limit.Token);
            await App.ResourceNotifications.WaitForResourceHealthyAsync(server, limit.Token);
        }
    }

    private async Task StartAllAsync(CancellationToken cancel)
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            ["--replicas=2", $"--data-directory={_data.FullName}"], cancel);
        _app = await builder.BuildAsync(cancel);
        _watching = WatchAsync();
        await _app.StartAsync(cancel);
        foreach (var part in Model.GetProjectResources())
            await _app.ResourceNotifications.WaitForResourceHealthyAsync(part.Name, cancel);
    }

    private DistributedApplicationModel Model => App.Services.GetRequiredService<DistributedApplicationModel>();

    /// <summary>The processes of a part, in no order.</summary>
    internal IReadOnlyList<Replica> ReplicasOf(string part) =>
    [
        .. from replica in _replicas.Values
           where replica.Resource.Name == part && replica.Snapshot.State?.Text == KnownResourceStates.Running
           let now = replica.Snapshot
           let process = now.Properties.Single(property => property.Name == "executable.pid").Value
           let urls = now.EnvironmentVariables.Single(variable => variable.Name == "ASPNETCORE_URLS").Value
           let id = Convert.ToInt32(process, CultureInfo.InvariantCulture)
           where !_killed.ContainsKey(id)
           select new Replica(id, new Uri(urls!.Split(';')[0])),
    ];

    /// <summary>The process ends at once. The other parts hear nothing from it.</summary>
    internal void Kill(Replica replica)
    {
        // The orchestrator notices it later.
        _killed[replica.ProcessId] = true;
        using var process = Process.GetProcessById(replica.ProcessId);
        process.Kill();
    }

    /// <summary>Kills the TURN server of a call, which goes on through the other one.</summary>
    /// <returns>How long it took until both ends heard each other again.</returns>
    internal async Task<TimeSpan> LoseTurnOfAsync(RelayedCall call)
    {
        var port = await call.RelayPortAsync();
        var part = TurnServers.Single(name => App.GetEndpoint(name, "udp").Port == port);
        Kill(ReplicasOf(part).Single());
        var lost = (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        var took = await call.UntilHeardAgainAsync(lost);
        var killed = DateTimeOffset.UnixEpoch.AddMilliseconds(lost);
        TestContext.Current.TestOutputHelper?.WriteLine($"{part} was killed at {killed:HH:mm:ss.fff}, and media was back {took} later");
        Assert.NotEqual(port, await call.RelayPortAsync());
        return took;
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
        if (_app is not null) await _app.DisposeAsync();
        _data.Delete(recursive: true);
    }

    private async Task WatchAsync()
    {
        try
        {
            await foreach (var change in App.ResourceNotifications.WatchAsync(_end.Token)) _replicas[change.ResourceId] = change;
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // Enough.
        }
    }
}
