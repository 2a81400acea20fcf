using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>A start that fails is one message. The services that it interrupts add nothing.</summary>
public sealed class ServiceHostTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("NET-04")]
    public async Task FailedStart_StopsServicesThatHaveStarted_AndLogsNoStackTraceOfThem(bool hasRun)
    {
        using var logs = new LogRecorder();
        var waiting = new Waiting(logs);

        var exitCode = await RunAsync(logs, services =>
        {
            services.AddHostedService(_ => waiting);
            services.AddHostedService(_ => new Failing(hasRun ? waiting.HasRun : Task.CompletedTask));
        });

        Assert.Equal(1, exitCode);
        Assert.Equal(["stopped", "disposed"], waiting.Events);
        Assert.DoesNotContain(logs.Records, record => record.Contains("   at ", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("NET-04")]
    public async Task ServiceThatCannotStopEither_DoesNotHideTheCause()
    {
        using var logs = new LogRecorder();

        var exitCode = await RunAsync(logs, services =>
        {
            services.AddHostedService<Unstoppable>();
            services.AddHostedService(_ => new Failing(Task.CompletedTask));
        });

        Assert.Equal(1, exitCode);
    }

    [Fact]
    [Requirement("EXP-45")]
    public async Task Start_IsOneRecord_WithAddressAndEnvironment()
    {
        using var logs = new LogRecorder();

        var exitCode = await RunAsync(logs, services => services.AddHostedService<StopAtOnce>());

        Assert.Equal(0, exitCode);
        var record = Assert.Single(logs.Records, record => record.StartsWith("Information", StringComparison.Ordinal));
        Assert.Matches(@"Part listens on http://127\.0\.0\.1:\d+, environment Development", record);
    }

    [Fact]
    [Requirement("NET-04")]
    public async Task StopDuringTheStart_IsNoFailure()
    {
        using var logs = new LogRecorder();

        var exitCode = await RunAsync(logs, services => services.AddHostedService<StopWhileStarting>());

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain(logs.Records, record => record.Contains("   at ", StringComparison.Ordinal));
    }

    private static Task<int> RunAsync(LogRecorder logs, Action<IServiceCollection> add) => ServiceHost.RunAsync(
        "Part", ["--environment=Development", "--urls=http://127.0.0.1:0"],
        builder =>
        {
            builder.Logging.ClearProviders().AddProvider(logs);
            add(builder.Services);
        },
        _ => { });

    private sealed class StopWhileStarting(IHostApplicationLifetime lifetime) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.StopApplication();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class StopAtOnce(IHostApplicationLifetime lifetime) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.ApplicationStarted.Register(lifetime.StopApplication);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>A background service that ends with an exception when it is cancelled.</summary>
    private sealed class Waiting(LogRecorder logs) : BackgroundService
    {
        private readonly TaskCompletionSource _hasRun = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task HasRun => _hasRun.Task;

        public List<string> Events { get; } = [];

        public override Task StopAsync(CancellationToken cancellationToken)
        {
            Events.Add("stopped");
            return base.StopAsync(cancellationToken);
        }

        public override void Dispose()
        {
            base.Dispose();

            // The host logs on another thread, and the test must see what it logs. A service that was stopped adds nothing to wait for.
            if (Events.Count == 0) SpinWait.SpinUntil(() => logs.Records.Count > 0, TimeSpan.FromSeconds(10));
            Events.Add("disposed");
        }

        protected override Task ExecuteAsync(CancellationToken stoppingToken)
        {
            _hasRun.SetResult();
            return Task.Delay(Timeout.Infinite, stoppingToken);
        }
    }

    private sealed class Failing(Task before) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            await before;
            throw new SettingsException("Part:Port is busy.");
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Unstoppable : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("This cannot stop.");
    }
}
