using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.EndToEnd.Tests.Telemetry;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Tests;

[assembly: AssemblyFixture(typeof(RunningSystem))]

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>
/// The whole system as <c>dotnet run --project AppHost</c> starts it, on random ports, with a telemetry collector and a real Chromium.
/// All tests of this assembly share it.
/// </summary>
public class RunningSystem : IAsyncLifetime
{
    /// <summary>Tests that stop a part must not run in parallel with others, so all belong to one collection.</summary>
    public const string Collection = "running system";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("webrtcims-");
    private readonly ConcurrentQueue<string> _console = [];
    private DistributedApplication? _app;
    private OtlpCollector? _collector;
    private Chromium? _chromium;
    private OpenIdProvider? _provider;

    public DistributedApplication App => _app ?? throw new InvalidOperationException("not started");

    public OtlpCollector Collector => _collector ?? throw new InvalidOperationException("not started");

    /// <summary>Another log-in provider. Its user carol is a subscriber.</summary>
    public OpenIdProvider Provider => _provider ?? throw new InvalidOperationException("not started");

    public Chromium Chromium => _chromium ?? throw new InvalidOperationException("not started");

    private static IReadOnlyList<string> Services { get; } = ["waf", "wwsf", "turn", "ep-cscf", "wic-web", "flow-view"];

    /// <summary>The names of the keys that the WAF uses now, for TURN tokens and for registration tokens.</summary>
    public async Task<List<string>> CurrentKeysAsync()
    {
        using var http = new HttpClient { BaseAddress = App.GetEndpoint("waf", "admin") };
        var rings = await http.GetFromJsonAsync<JsonElement>(
            new Uri("/admin/keys", UriKind.Relative), TestContext.Current.CancellationToken);
        // No TURN server fetches the keys of the other server name, which is there for the stage.
        var used = rings.EnumerateArray()
            .Where(ring => !ring.GetProperty("server").GetString()!.StartsWith("another-turn.", StringComparison.Ordinal));
        return [.. used.SelectMany(ring => ring.GetProperty("keys").EnumerateArray())
            .Where(key => key.GetProperty("state").GetString() == "current").Select(key => key.GetProperty("kid").GetString()!)];
    }

    /// <summary>The output of all resources so far.</summary>
    public IReadOnlyCollection<string> Console => _console;

    /// <summary>
    /// A long-term key k1 of TURN beside those that the WAF delivers, and the initial access token of the WWSF. The test passes them to the
    /// system, so that it can search for them and make tokens.
    /// </summary>
    public IReadOnlyList<string> SecretParameters { get; } =
        [Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))];

    public Uri PageAddress => App.GetEndpoint("wic-web", "http");

    /// <summary>Every datagram between Chromium and TURN over UDP passes here.</summary>
    public RecordingUdpProxy? UdpProxy { get; private set; }

    public async ValueTask InitializeAsync()
    {
        _chromium = await Chromium.StartAsync();
        _collector = await OtlpCollector.StartAsync();
        _provider = await OpenIdProvider.StartAsync();
        var turnPort = FreePorts.TcpAndUdp();
        UdpProxy = new RecordingUdpProxy(new IPEndPoint(IPAddress.Loopback, turnPort));

        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            [
                $"--turn-port={turnPort}",
                $"--data-directory={_data.FullName}",
                $"--Parameters:wwsf-initial-access-token={SecretParameters[1]}",
            ]);
        builder.CreateResourceBuilder<ProjectResource>("turn")
            .WithEnvironment("Turn__Keys__0__Kid", "k1")
            .WithEnvironment("Turn__Keys__0__Key", SecretParameters[0]);
        builder.CreateResourceBuilder<ProjectResource>("wwsf")
            .WithEnvironment(
                "Wwsf__TurnUris__0", string.Create(CultureInfo.InvariantCulture, $"turn:127.0.0.1:{UdpProxy.Port}?transport=udp"));
        builder.CreateResourceBuilder<ProjectResource>("flow-view")
            .WithEnvironment(
                "FlowView__TraceUrl", "http://localhost:15080/traces/detail/{trace_id} https://jaeger.example/trace/{trace_id}");
        ExportToCollector(builder);
        AddProvider(builder);
        Change(builder);

        _app = await builder.BuildAsync();
        await _app.StartAsync();
        WatchConsole();
        using var limit = new CancellationTokenSource(StartLimit);
        foreach (var resource in Services)
            await UntilHealthyAsync(resource, limit.Token);
        // Until the WWSF has registered at the WAF it is degraded, which Aspire counts as healthy.
        while (await HealthOfAsync("wwsf") != "Healthy") await Task.Delay(200, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null) await _chromium.DisposeAsync();
        if (_app is not null) await _app.DisposeAsync();
        if (_collector is not null) await _collector.DisposeAsync();
        if (_provider is not null) await _provider.DisposeAsync();
        UdpProxy?.Dispose();
        _data.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Stops a resource until the result is disposed, to simulate its failure.</summary>
    public async Task<IAsyncDisposable> WithoutAsync(string resource)
    {
        await App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StopCommand);
        // The command returns before the orchestrator has noticed the end of the process. An earlier start is sometimes lost.
        using var limit = new CancellationTokenSource(StartLimit);
        await App.ResourceNotifications.WaitForResourceAsync(resource, KnownResourceStates.TerminalStates, limit.Token);
        return new Restart(this, resource);
    }

    /// <summary>The latest output of a resource.</summary>
    public async Task<IReadOnlyList<LogLine>> LinesOfAsync(string resource) =>
        await App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(ResourceOf(resource)).FirstAsync();

    /// <summary>Waits until a resource is healthy. Otherwise the test fails with the output of the resource.</summary>
    public async Task UntilHealthyAsync(string resource, CancellationToken cancellationToken)
    {
        try
        {
            await App.ResourceNotifications.WaitForResourceHealthyAsync(resource, cancellationToken);
        }
        catch (Exception error) when (error is DistributedApplicationException or OperationCanceledException)
        {
            var state = App.ResourceNotifications.TryGetCurrentState(resource, out var now) ? now.Snapshot : null;
            // The orchestrator forwards the output of a process with a delay.
            await Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None);
            var lines = (await LinesOfAsync(resource)).Select(line => line.Content);
            Assert.Fail($"{error.Message} State {state?.State?.Text}, exit code {state?.ExitCode}.\n{string.Join('\n', lines)}");
        }
    }

    /// <summary>Waits until resources that were stopped are healthy, and so are the services that ran without them.</summary>
    public async Task UntilRecoveredAsync(params IEnumerable<string> resources)
    {
        using var limit = new CancellationTokenSource(StartLimit);
        foreach (var resource in resources) await UntilHealthyAsync(resource, limit.Token);
        // Services that ran without the resource recover a moment later. The next test must not see them before.
        foreach (var service in new[] { "waf", "wwsf", "turn", "ep-cscf" })
        {
            while (await HealthOfAsync(service) != "Healthy") await Task.Delay(200, limit.Token);
        }
    }

    /// <summary>The health that a service reports: Healthy, Degraded or Unhealthy.</summary>
    public async Task<string?> HealthOfAsync(string service)
    {
        using var client = App.CreateHttpClient(service, "http");
        var health = await client.GetFromJsonAsync<JsonElement>("/health");
        return health.GetProperty("status").GetString();
    }

    /// <summary>Changes the system that <c>dotnet run</c> would start.</summary>
    protected virtual void Change(IDistributedApplicationTestingBuilder builder)
    {
    }

    // Tests run without Aspire's dashboard, which is the default destination.
    private void ExportToCollector(IDistributedApplicationTestingBuilder builder)
    {
        foreach (var service in Services)
        {
            builder.CreateResourceBuilder<ProjectResource>(service)
                .WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", Collector.Address.ToString())
                .WithEnvironment("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        }
    }

    // Settings that an operator would make: the provider for the WWSF, the subscriber for WAF and core.
    private void AddProvider(IDistributedApplicationTestingBuilder builder)
    {
        builder.CreateResourceBuilder<ProjectResource>("wwsf")
            .WithEnvironment("Wwsf__OpenIdConnect__Authority", Provider.Address)
            .WithEnvironment("Wwsf__OpenIdConnect__ClientId", OpenIdProvider.ClientId)
            .WithEnvironment("Wwsf__OpenIdConnect__ClientSecret", OpenIdProvider.ClientSecret)
            .WithEnvironment("Wwsf__OpenIdConnect__DisplayName", "Example")
            .WithEnvironment("Wwsf__OpenIdConnect__ImpuClaim", "preferred_username");
        builder.CreateResourceBuilder<ProjectResource>("waf")
            .WithEnvironment("Waf__InitialAccessTokens__0__Impus__3", "sip:carol@webrtcims.local");
        builder.CreateResourceBuilder<ProjectResource>("ep-cscf")
            .WithEnvironment("EpCscf__Subscribers__2__Impi", "carol@webrtcims.local")
            .WithEnvironment("EpCscf__Subscribers__2__Impus__0", "sip:carol@webrtcims.local")
            .WithEnvironment("EpCscf__Subscribers__2__DisplayName", "Carol")
            .WithEnvironment("EpCscf__Subscribers__2__AllowedWafs__0", "waf.webrtcims.local")
            .WithEnvironment("EpCscf__Subscribers__2__AllowedWwsfs__0", "wwsf");
    }

    // The orchestrator knows the logs of resources only after it has started them. Earlier output is also delivered.
    private void WatchConsole()
    {
        var logs = App.Services.GetRequiredService<ResourceLoggerService>();
        foreach (var resource in Services.Append("redis").Select(ResourceOf))
        {
            _ = Task.Run(async () =>
            {
                await foreach (var lines in logs.WatchAsync(resource))
                {
                    foreach (var line in lines) _console.Enqueue(line.Content);
                }
            });
        }
    }

    private IResource ResourceOf(string name) =>
        App.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(resource => resource.Name == name);

    private sealed class Restart(RunningSystem system, string resource) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await system.App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand);
            // The command returns before the orchestrator has said that the process runs. Until then it is one that has ended.
            using var limit = new CancellationTokenSource(StartLimit);
            await system.App.ResourceNotifications.WaitForResourceAsync(
                resource, now => !KnownResourceStates.TerminalStates.Contains(now.Snapshot.State?.Text), limit.Token);
            await system.UntilRecoveredAsync(resource);
        }
    }
}
