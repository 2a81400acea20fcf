using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Logging.Abstractions;

namespace WebRtcIms.AppHost.Tests;

/// <summary>The endpoint with which the page's stage stops parts, with a part that sleeps.</summary>
[Collection(RunningHosts.Collection)]
public sealed class PartBreakerTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Part_IsStopped_AndStartsAgainByItself()
    {
        await using var host = await StartAsync("Development");
        using var http = host.Client();
        await UntilAsync(http, "up");

        Assert.Equal(HttpStatusCode.Accepted, await BreakAsync(http, "part"));
        Assert.Equal(HttpStatusCode.Conflict, await BreakAsync(http, "part"));
        var down = await UntilAsync(http, "down");
        Assert.InRange(down.GetProperty("restarts_in").GetDouble(), 0, PartBreaker.Outage.TotalSeconds);
        // The process itself has ended, not only the endpoint's word.
        await host.App.ResourceNotifications
            .WaitForResourceAsync("part", KnownResourceStates.TerminalStates, Cancel).WaitAsync(Limit, Cancel);
        await UntilAsync(http, "up");
    }

    [Fact]
    public async Task OnlyTheKeyOfThisRunOpensIt_AndOnlyListedPartsStop()
    {
        await using var host = await StartAsync("Development");
        using var http = host.Client();
        await UntilAsync(http, "up");

        Assert.Equal(HttpStatusCode.NotFound, await BreakAsync(http, "page"));
        foreach (var key in new[] { null, "", host.Key + "0", host.Key[1..] })
        {
            using var stranger = host.Client(key);
            Assert.Equal(HttpStatusCode.NotFound, (await stranger.GetAsync(new Uri("/parts", UriKind.Relative), Cancel)).StatusCode);
            Assert.Equal(HttpStatusCode.NotFound, await BreakAsync(stranger, "part"));
        }

        Assert.True(IPAddress.IsLoopback(IPAddress.Parse(new Uri(host.Address!).Host)));
        Assert.Equal("up", (await PartAsync(http)).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("Production")]
    [InlineData("Staging")]
    public async Task OutsideDevelopment_ThereIsNoEndpoint(string environment)
    {
        await using var host = await StartAsync(environment);
        Assert.Null(host.Address);
        Assert.Empty(host.Key);
    }

    private static async Task<HttpStatusCode> BreakAsync(HttpClient http, string part)
    {
        using var answer = await http.PostAsync(new Uri($"/parts/{part}/break", UriKind.Relative), null, Cancel);
        return answer.StatusCode;
    }

    private static async Task<JsonElement> UntilAsync(HttpClient http, string state)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        while (true)
        {
            var part = await PartAsync(http);
            if (part.GetProperty("state").GetString() == state) return part;
            await Task.Delay(50, limit.Token);
        }
    }

    private static async Task<JsonElement> PartAsync(HttpClient http)
    {
        var parts = await http.GetFromJsonAsync<JsonElement>(new Uri("/parts", UriKind.Relative), Cancel);
        return Assert.Single(parts.EnumerateArray());
    }

    private static async Task<Host> StartAsync(string environment)
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("sleep is a program of Unix");
        // The assembly names the orchestrator.
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
        {
            Args = [$"--environment={environment}"],
            AssemblyName = typeof(PartBreaker).Assembly.GetName().Name,
            DisableDashboard = true,
        });
        var part = builder.AddExecutable("part", "sleep", "/", "600");
        var page = builder.AddExecutable("page", "sleep", "/", "600");
        PartBreaker.AddTo(page, [[part]]);
        var app = builder.Build();
        await app.StartAsync(Cancel).WaitAsync(Limit, Cancel);
        var configuration = await ExecutionConfigurationBuilder.Create(page.Resource).WithEnvironmentVariablesConfig().BuildAsync(
            new DistributedApplicationExecutionContext(DistributedApplicationOperation.Run), NullLogger.Instance, Cancel);
        var variables = configuration.EnvironmentVariables.ToDictionary();
        return new(app, variables.GetValueOrDefault("Wwsf__Stage__Control"), variables.GetValueOrDefault("Wwsf__Stage__ControlKey", ""));
    }

    private sealed record Host(DistributedApplication App, string? Address, string Key) : IAsyncDisposable
    {
        public HttpClient Client() => Client(Key);

        public HttpClient Client(string? key)
        {
            var http = new HttpClient { BaseAddress = new Uri(Address!) };
            if (key is not null) http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            return http;
        }

        public ValueTask DisposeAsync() => App.DisposeAsync();
    }
}
