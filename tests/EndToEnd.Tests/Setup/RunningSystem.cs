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
/// The whole system as <c>dotnet run --project AppHost</c> starts it, on random ports, with a collector for its telemetry
/// and a real Chromium. One for all tests of this assembly.
/// </summary>
public class RunningSystem : IAsyncLifetime
{
    /// <summary>Tests that stop a part must not run beside others, so all are of one collection.</summary>
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

    /// <summary>Where users may log in besides; its carol is a subscriber.</summary>
    public OpenIdProvider Provider => _provider ?? throw new InvalidOperationException("not started");

    public Chromium Chromium => _chromium ?? throw new InvalidOperationException("not started");

    private static IReadOnlyList<string> Services { get; } = ["waf", "wwsf", "turn", "ep-cscf", "wic-web", "flow-view"];

    /// <summary>All that the resources printed so far.</summary>
    public IReadOnlyCollection<string> Console => _console;

    /// <summary>K, and the secret of the OAuth client: given to the system so that a test knows what to search for.</summary>
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
                $"--Parameters:turn-key={SecretParameters[0]}",
                $"--Parameters:wwsf-client-secret={SecretParameters[1]}",
            ]);
        builder.CreateResourceBuilder<ProjectResource>("wwsf")
            .WithEnvironment("Wwsf__TurnUris__0", string.Create(CultureInfo.InvariantCulture, $"turn:127.0.0.1:{UdpProxy.Port}?transport=udp"));
        builder.CreateResourceBuilder<ProjectResource>("flow-view")
            .WithEnvironment("FlowView__TraceUrl", "http://localhost:15080/traces/detail/{trace_id} https://jaeger.example/trace/{trace_id}");
        ExportToCollector(builder);
        AddProvider(builder);
        Change(builder);

        _app = await builder.BuildAsync();
        await _app.StartAsync();
        WatchConsole();
        using var limit = new CancellationTokenSource(StartLimit);
        foreach (var resource in Services)
            await UntilHealthyAsync(resource, limit.Token);
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

    /// <summary>Stops a resource for the time of a test, as its failure would.</summary>
    public async Task<IAsyncDisposable> WithoutAsync(string resource)
    {
        await App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StopCommand);
        // The command returns before the orchestrator has seen the end of the process; a start before that is lost now and then.
        using var limit = new CancellationTokenSource(StartLimit);
        await App.ResourceNotifications.WaitForResourceAsync(resource, KnownResourceStates.TerminalStates, limit.Token);
        return new Restart(this, resource);
    }

    /// <summary>What a resource printed last.</summary>
    public async Task<IReadOnlyList<LogLine>> LinesOfAsync(string resource) =>
        await App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(ResourceOf(resource)).FirstAsync();

    /// <summary>Waits until a resource is healthy; if it does not get there, the failure has what the resource printed.</summary>
    public async Task UntilHealthyAsync(string resource, CancellationToken cancellationToken)
    {
        try
        {
            await App.ResourceNotifications.WaitForResourceHealthyAsync(resource, cancellationToken);
        }
        catch (Exception error) when (error is DistributedApplicationException or OperationCanceledException)
        {
            var state = App.ResourceNotifications.TryGetCurrentState(resource, out var now) ? now.Snapshot : null;
            // The orchestrator passes on what a process printed a moment after its end.
            await Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None);
            Assert.Fail($"{error.Message} State {state?.State?.Text}, exit code {state?.ExitCode}.\n{string.Join('\n', (await LinesOfAsync(resource)).Select(line => line.Content))}");
        }
    }

    /// <summary>What a service says of itself: Healthy, Degraded or Unhealthy.</summary>
    public async Task<string?> HealthOfAsync(string service)
    {
        using var client = App.CreateHttpClient(service, "http");
        var health = await client.GetFromJsonAsync<JsonElement>("/health");
        return health.GetProperty("status").GetString();
    }

    /// <summary>What is different from the system that <c>dotnet run</c> starts.</summary>
    protected virtual void Change(IDistributedApplicationTestingBuilder builder)
    {
    }

    // Instead of to Aspire's dashboard, which tests run without.
    private void ExportToCollector(IDistributedApplicationTestingBuilder builder)
    {
        foreach (var service in Services)
        {
            builder.CreateResourceBuilder<ProjectResource>(service)
                .WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", Collector.Address.ToString())
                .WithEnvironment("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        }
    }

    // As an operator would: the WWSF is told of the provider, WAF and core of the subscriber.
    private void AddProvider(IDistributedApplicationTestingBuilder builder)
    {
        builder.CreateResourceBuilder<ProjectResource>("wwsf")
            .WithEnvironment("Wwsf__OpenIdConnect__Authority", Provider.Address)
            .WithEnvironment("Wwsf__OpenIdConnect__ClientId", OpenIdProvider.ClientId)
            .WithEnvironment("Wwsf__OpenIdConnect__ClientSecret", OpenIdProvider.ClientSecret)
            .WithEnvironment("Wwsf__OpenIdConnect__DisplayName", "Example")
            .WithEnvironment("Wwsf__OpenIdConnect__ImpuClaim", "preferred_username");
        builder.CreateResourceBuilder<ProjectResource>("waf").WithEnvironment("Waf__Clients__0__Impus__3", "sip:carol@webrtcims.local");
        builder.CreateResourceBuilder<ProjectResource>("ep-cscf")
            .WithEnvironment("EpCscf__Subscribers__2__Impi", "carol@webrtcims.local")
            .WithEnvironment("EpCscf__Subscribers__2__Impus__0", "sip:carol@webrtcims.local")
            .WithEnvironment("EpCscf__Subscribers__2__DisplayName", "Carol")
            .WithEnvironment("EpCscf__Subscribers__2__AllowedWafs__0", "waf.webrtcims.local")
            .WithEnvironment("EpCscf__Subscribers__2__AllowedWwsfs__0", "wwsf");
    }

    // The names by which the orchestrator keeps their output are known once it has started them; what they printed before comes, too.
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

    private IResource ResourceOf(string name) => App.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(resource => resource.Name == name);

    private sealed class Restart(RunningSystem system, string resource) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await system.App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand);
            using var limit = new CancellationTokenSource(StartLimit);
            await system.UntilHealthyAsync(resource, limit.Token);

            // Those that did without it find it a moment later; the next test must not see that they look for it.
            foreach (var service in new[] { "waf", "wwsf", "turn", "ep-cscf" })
            {
                while (await system.HealthOfAsync(service) != "Healthy") await Task.Delay(200, limit.Token);
            }
        }
    }
}
