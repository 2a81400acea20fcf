using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace WebRtcIms.AppHost.Tests;

/// <summary>A service sees what it would see on Aspire 13.5.2.</summary>
[Collection(SampleSystem.Collection)]
public sealed class EnvironmentTests(EnvironmentTests.RunningSample sample) : IClassFixture<EnvironmentTests.RunningSample>
{
    private DistributedApplication App => sample.App;

    [Fact]
    public async Task LaunchProfile_GivesEnvironmentThatTheModelOverrides()
    {
        var first = await App.EnvironmentOfAsync("first");

        Assert.Equal("http", first["DOTNET_LAUNCH_PROFILE"]);
        Assert.Equal("Development", first["ASPNETCORE_ENVIRONMENT"]);
        Assert.Equal("profile", first["FROM_PROFILE"]);
        Assert.Equal("model", first["OVERRIDDEN"]);
    }

    [Fact]
    public async Task Endpoints_TellTheServiceItsPorts()
    {
        var first = await App.EnvironmentOfAsync("first");

        Assert.Equal(App.GetEndpoint("first").ToString().TrimEnd('/'), first["ASPNETCORE_URLS"]);
        Assert.Equal($"{App.GetEndpoint("first", "udp").Port}", first["SAMPLE_PORT"]);
        Assert.Equal("sample", App.GetEndpoint("first", "udp").Scheme);
    }

    [Fact]
    public void TestPorts_AreNotThoseOfTheLaunchProfile()
    {
        Assert.NotEqual(18471, App.GetEndpoint("first").Port);
        Assert.NotEqual(App.GetEndpoint("first").Port, App.GetEndpoint("second-one").Port);
    }

    [Fact]
    public async Task ReferenceToAService_GivesServiceDiscovery()
    {
        var second = await App.EnvironmentOfAsync("second-one");
        var http = App.GetEndpoint("first").ToString().TrimEnd('/');

        Assert.Equal(http, second["services__first__http__0"]);
        Assert.Equal(http, second["FIRST_HTTP"]);
        Assert.Equal($"sample://localhost:{App.GetEndpoint("first", "udp").Port}", second["services__first__udp__0"]);
        Assert.DoesNotContain("ConnectionStrings__redis", second.Keys);
    }

    [Fact]
    public async Task ReferenceToRedis_GivesConnectionStringAndItsParts()
    {
        var first = await App.EnvironmentOfAsync("first");
        var connection = await App.GetConnectionStringAsync("redis", SampleSystem.Limit());

        Assert.Equal(connection, first["ConnectionStrings__redis"]);
        Assert.Equal($"{first["REDIS_HOST"]}:{first["REDIS_PORT"]},password={first["REDIS_PASSWORD"]}", connection);
        Assert.Equal($"redis://:{first["REDIS_PASSWORD"]}@{first["REDIS_HOST"]}:{first["REDIS_PORT"]}", first["REDIS_URI"]);
        Assert.True(first["REDIS_PASSWORD"].Length >= 22);
    }

    [Fact]
    public async Task Parameters_ComeFromTheConfiguration()
    {
        var first = await App.EnvironmentOfAsync("first");

        Assert.Equal("secret of the test", first["SECRET"]);
        Assert.Equal("by appsettings", first["GIVEN"]);
    }

    [Fact]
    public async Task ProcessRuns_InTheFolderOfItsProject()
    {
        var process = await App.ProcessOfAsync("first");

        Assert.Equal("SampleService", Path.GetFileName(process.Folder));
        Assert.True(File.Exists(Path.Combine(process.Folder, "SampleService.csproj")));
    }

    [Fact]
    public async Task WithoutCollector_ServicesExportNothing()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 }, "a collector is configured here");
        var first = await App.EnvironmentOfAsync("first");

        Assert.DoesNotContain("OTEL_EXPORTER_OTLP_ENDPOINT", first.Keys);
    }

    [Fact]
    public async Task Collector_IsPassedOnWithTheResourceName()
    {
        var model = await SampleSystem.ModelAsync("--OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9");
        model.CreateResourceBuilder<ProjectResource>("second-one").WithEnvironment("FROM_TEST", "yes");
        await using var app = await model.HealthyAsync();
        var second = await app.EnvironmentOfAsync("second-one");

        Assert.Equal("http://127.0.0.1:9", second["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        Assert.Equal("http/protobuf", second["OTEL_EXPORTER_OTLP_PROTOCOL"]);
        Assert.Equal("second-one", second["OTEL_SERVICE_NAME"]);
        Assert.StartsWith("service.instance.id=", second["OTEL_RESOURCE_ATTRIBUTES"], StringComparison.Ordinal);
        Assert.Equal("1000", second["OTEL_BSP_SCHEDULE_DELAY"]);
        Assert.Equal("yes", second["FROM_TEST"]);
    }

    public sealed class RunningSample : IAsyncLifetime
    {
        public DistributedApplication App { get; private set; } = null!;

        public async ValueTask InitializeAsync() => App = await (await SampleSystem.ModelAsync()).HealthyAsync();

        public ValueTask DisposeAsync() => App.DisposeAsync();
    }
}
