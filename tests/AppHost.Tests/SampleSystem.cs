using System.Net.Http.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

/// <summary>The sample host of testassets in this process: Redis, and two services of which the second waits for the first.</summary>
internal static class SampleSystem
{
    /// <summary>Its tests run one after another: each runs several processes, and some measure how long these take to end.</summary>
    public const string Collection = "sample system";

    public static Task<IDistributedApplicationTestingBuilder> ModelAsync(params string[] arguments) =>
        DistributedApplicationTestingBuilder.CreateAsync<Projects.SampleHost>(
            ["--Parameters:made-secret=secret of the test", $"--first-port={FreePorts.Udp()}", .. arguments], Limit());

    public static async Task<DistributedApplication> StartedAsync(this IDistributedApplicationTestingBuilder model)
    {
        var app = await model.BuildAsync(Limit());
        await app.StartAsync(Limit());
        return app;
    }

    public static async Task<DistributedApplication> HealthyAsync(this IDistributedApplicationTestingBuilder model)
    {
        var app = await model.StartedAsync();
        await app.UntilHealthyAsync("second-one");
        return app;
    }

    public static Task UntilHealthyAsync(this DistributedApplication app, string resource) =>
        app.ResourceNotifications.WaitForResourceHealthyAsync(resource, Limit()).WaitAsync(Limit());

    public static Task<ExecuteCommandResult> CommandAsync(this DistributedApplication app, string resource, string command) =>
        app.ResourceCommands.ExecuteCommandAsync(resource, command, Limit());

    public static async Task<ConfigurationOptions> RedisOptionsAsync(this DistributedApplication app)
    {
        var options = ConfigurationOptions.Parse((await app.GetConnectionStringAsync("redis", Limit()))!);
        options.ConnectTimeout = 500;
        options.ConnectRetry = 1;
        return options;
    }

    public static async Task<Dictionary<string, string>> EnvironmentOfAsync(this DistributedApplication app, string resource)
    {
        using var client = app.CreateHttpClient(resource);
        return (await client.GetFromJsonAsync<Dictionary<string, string>>("/environment", Limit()))!;
    }

    public static async Task<SampleProcess> ProcessOfAsync(this DistributedApplication app, string resource)
    {
        using var client = app.CreateHttpClient(resource);
        return (await client.GetFromJsonAsync<SampleProcess>("/process", Limit()))!;
    }

    public static async Task<IReadOnlyList<string>> OutputOfAsync(this DistributedApplication app, string resource)
    {
        List<string> lines = [];
        await foreach (var batch in app.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(resource))
            lines.AddRange(batch.Select(line => line.Content));
        return lines;
    }

    public static CancellationToken Limit()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        return limit.Token;
    }
}

internal sealed record SampleProcess(int Id, string Folder);
