using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>The command with which a container engine asks a part for its health.</summary>
public sealed class HealthCommandTests
{
    [Theory]
    [InlineData("http://127.0.0.1:8081", null, "http://127.0.0.1:8081/")]
    [InlineData("https://*:8443;http://[::]:8080", "9090", "http://localhost:8080/")]
    [InlineData("http://+:8083", null, "http://localhost:8083/")]
    [InlineData(null, "8081", "http://localhost:8081/")]
    [InlineData("https://*:8443", "8081", null)]
    [InlineData(null, null, null)]
    public void Address_IsTheFirstPlainOneOfTheService(string? urls, string? ports, string? address) =>
        Assert.Equal(address, HealthCommand.AddressIn(urls, ports)?.ToString());

    [Theory]
    [InlineData(StatusCodes.Status200OK, 0)]
    [InlineData(StatusCodes.Status503ServiceUnavailable, 1)]
    public async Task ExitCode_IsThatOfTheHealth(int status, int exitCode)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        app.MapGet("/health", () => Results.StatusCode(status));
        await app.StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(exitCode, await HealthCommand.RunAsync(new Uri(app.Urls.First())));
        await app.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, await HealthCommand.RunAsync(new Uri(app.Urls.First())));
    }
}
