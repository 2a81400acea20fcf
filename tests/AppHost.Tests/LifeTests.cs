using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace WebRtcIms.AppHost.Tests;

/// <summary>Order of the start, health, commands, and ends that nobody asked for.</summary>
[Collection(SampleSystem.Collection)]
public sealed class LifeTests
{
    [Fact]
    public async Task WaitFor_StartsAResourceWhenTheOtherIsHealthy()
    {
        var model = await SampleSystem.ModelAsync();
        model.CreateResourceBuilder<ProjectResource>("first").WithEnvironment("SAMPLE_HEALTHY_AFTER_MS", "500");
        await using var app = await model.BuildAsync(SampleSystem.Limit());
        var events = await EventsUntilHealthyAsync(app, "second-one");

        Assert.True(events.IndexOf("redis healthy") < events.IndexOf("first Starting"), string.Join(", ", events));
        Assert.True(events.IndexOf("first Running") < events.IndexOf("first healthy"));
        Assert.True(events.IndexOf("first healthy") < events.IndexOf("second-one Starting"));
    }

    [Fact]
    public async Task WaitForStart_StartsAResourceWhenTheOtherRuns_HealthyOrNot()
    {
        var model = await SampleSystem.ModelAsync();
        var first = model.CreateResourceBuilder<ProjectResource>("first").WithEnvironment("SAMPLE_HEALTHY_AFTER_MS", "2000");
        var second = model.CreateResourceBuilder<ProjectResource>("second-one");
        second.Resource.Annotations.Remove(second.Resource.Annotations.OfType<WaitAnnotation>().Single());
        second.WaitForStart(first);
        await using var app = await model.BuildAsync(SampleSystem.Limit());
        var events = await EventsUntilHealthyAsync(app, "first");

        Assert.True(events.IndexOf("first Running") < events.IndexOf("second-one Starting"), string.Join(", ", events));
        Assert.True(events.IndexOf("second-one Starting") < events.IndexOf("first healthy"), string.Join(", ", events));
    }

    [Fact]
    public async Task StopAndStart_KeepsTheAddress()
    {
        await using var app = await (await SampleSystem.ModelAsync()).HealthyAsync();
        var (address, before) = (app.GetEndpoint("first"), await app.ProcessOfAsync("first"));

        var stopped = await app.CommandAsync("first", KnownResourceCommands.StopCommand);
        Assert.True(stopped.Success);
        Assert.False(Processes.IsAlive(before.Id));
        await Assert.ThrowsAsync<HttpRequestException>(() => app.ProcessOfAsync("first"));
        Assert.True(Processes.IsAlive((await app.ProcessOfAsync("second-one")).Id));

        var started = await app.CommandAsync("first", KnownResourceCommands.StartCommand);
        Assert.True(started.Success, started.ErrorMessage);
        await app.UntilHealthyAsync("first");
        Assert.Equal(address, app.GetEndpoint("first"));
        Assert.NotEqual(before.Id, (await app.ProcessOfAsync("first")).Id);
    }

    [Fact]
    public async Task Restart_MakesAFreshProcess()
    {
        await using var app = await (await SampleSystem.ModelAsync()).HealthyAsync();
        var before = await app.ProcessOfAsync("second-one");

        await app.CommandAsync("second-one", KnownResourceCommands.RestartCommand);
        await app.UntilHealthyAsync("second-one");

        Assert.NotEqual(before.Id, (await app.ProcessOfAsync("second-one")).Id);
    }

    [Fact]
    public async Task UnknownResourceOrCommand_IsRefusedWithASentence()
    {
        await using var app = await (await SampleSystem.ModelAsync()).BuildAsync(SampleSystem.Limit());

        Assert.Contains("'nobody'", (await app.CommandAsync("nobody", "stop")).ErrorMessage, StringComparison.Ordinal);
        Assert.Contains("'dance'", (await app.CommandAsync("first", "dance")).ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RedisStoppedAndStarted_ComesBackEmptyAtTheSamePlaceWithTheSamePassword()
    {
        await using var app = await (await SampleSystem.ModelAsync()).HealthyAsync();
        var options = await app.RedisOptionsAsync();
        await using (var redis = await ConnectionMultiplexer.ConnectAsync(options))
            Assert.True(await redis.GetDatabase().StringSetAsync("key", "value", TimeSpan.FromMinutes(1), When.NotExists));

        await app.CommandAsync("redis", KnownResourceCommands.StopCommand);
        await Assert.ThrowsAsync<RedisConnectionException>(() => ConnectionMultiplexer.ConnectAsync(options));

        await app.CommandAsync("redis", KnownResourceCommands.StartCommand);
        await using var again = await ConnectionMultiplexer.ConnectAsync(options);
        Assert.False(await again.GetDatabase().KeyExistsAsync("key"));
    }

    [Fact]
    public async Task Redis_WantsThePassword()
    {
        await using var app = await (await SampleSystem.ModelAsync()).StartedAsync();
        await app.UntilHealthyAsync("redis");
        var options = await app.RedisOptionsAsync();
        options.Password = "wrong";

        await Assert.ThrowsAsync<RedisConnectionException>(() => ConnectionMultiplexer.ConnectAsync(options));
    }

    [Fact]
    public async Task Crash_IsSaidWithItsCode_AndNothingIsRestarted()
    {
        await using var app = await (await SampleSystem.ModelAsync()).HealthyAsync();
        using var client = app.CreateHttpClient("first");
        try
        {
            await client.PostAsync("/crash/42", null, SampleSystem.Limit());
        }
        catch (HttpRequestException)
        {
            // It went down with the answer.
        }

        var end = await app.ResourceNotifications.WaitForResourceAsync("first", change => change.Snapshot.ExitCode is not null, SampleSystem.Limit());

        Assert.Equal(KnownResourceStates.Exited, end.Snapshot.State?.Text);
        Assert.Equal(42, end.Snapshot.ExitCode);
        Assert.True(Processes.IsAlive((await app.ProcessOfAsync("second-one")).Id));
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.UntilHealthyAsync("first"));
        Assert.Equal("first exited by itself with code 42.", error.Message);
    }

    [Fact]
    public async Task ResourceThatCannotStart_KeepsItsDependantsDown()
    {
        await using var app = await (await SampleSystem.ModelAsync("--first-exit-code=7")).StartedAsync();

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.UntilHealthyAsync("second-one"));

        Assert.Equal("second-one was not started, because first is not up.", error.Message);
        Assert.Contains("The sample does not want to start.", await app.OutputOfAsync("first"));
    }

    [Fact]
    public async Task Dispose_LeavesNoProcess_EvenWhenOneIsStubborn()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "processes are ended at once there");
        var app = await (await SampleSystem.ModelAsync("--second:SAMPLE_STUBBORN=true")).HealthyAsync();
        int[] processes = [(await app.ProcessOfAsync("first")).Id, (await app.ProcessOfAsync("second-one")).Id];

        var started = Stopwatch.GetTimestamp();
        await app.DisposeAsync();

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(processes, Processes.IsAlive);
    }

    [Fact]
    public async Task PortOfALaunchProfileInUse_IsSaidBeforeAnythingStarts()
    {
        using var holder = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        holder.Start();
        var model = await SampleSystem.ModelAsync();
        var port = ((System.Net.IPEndPoint)holder.LocalEndpoint).Port;
        var endpoint = model.CreateResourceBuilder<ProjectResource>("first").Resource.Annotations.OfType<EndpointAnnotation>().First();
        (endpoint.Port, endpoint.IsProxied) = (port, false);
        await using var app = await model.BuildAsync(SampleSystem.Limit());

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(SampleSystem.Limit()));

        Assert.Equal(
            $"Port {port} (TCP), on which first is to listen, is in use already. Stop what uses it, or choose another port: "
            + $"applicationUrl in {Path.Combine("SampleService", "Properties/launchSettings.json")}.",
            error.Message);
        Assert.Empty(await app.OutputOfAsync("first"));
    }

    [Fact]
    public void Projects_AreGeneratedFromReferences()
    {
        var assembly = typeof(Projects.SampleHost).Assembly;
        var metadata = (IProjectMetadata)Activator.CreateInstance(assembly.GetType("Projects.SampleService", throwOnError: true)!)!;

        Assert.EndsWith("SampleService.csproj", metadata.ProjectPath, StringComparison.Ordinal);
        Assert.True(File.Exists(metadata.ProjectPath));
        Assert.True(File.Exists(metadata.AssemblyPath));
        Assert.Null(assembly.GetType("Projects.AppHost_Embedded"));
        Assert.True(Directory.Exists(Projects.SampleHost.ProjectPath));
    }

    private static async Task<List<string>> EventsUntilHealthyAsync(DistributedApplication app, string resource)
    {
        List<string> events = [];
        var seen = RecordAsync();
        await app.StartAsync(SampleSystem.Limit());
        await seen.WaitAsync(SampleSystem.Limit());
        return events;

        async Task RecordAsync()
        {
            await foreach (var change in app.ResourceNotifications.WatchAsync(SampleSystem.Limit()))
            {
                var healthy = change.Snapshot.HealthStatus == HealthStatus.Healthy;
                events.Add($"{change.ResourceId} {(healthy ? "healthy" : change.Snapshot.State?.Text)}");
                if (events[^1] == $"{resource} healthy") return;
            }
        }
    }
}
