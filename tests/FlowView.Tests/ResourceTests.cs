using System.Net;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Who may stop and start what the AppHost runs: the person at this machine, and no page that this person visits.</summary>
public sealed class ResourceTests
{
    // Nothing listens there: whoever gets through is told that the AppHost does not answer.
    private const string NoAppHost = "http://127.0.0.1:9";

    [Theory]
    [InlineData("127.0.0.1", true, false, HttpStatusCode.ServiceUnavailable)]
    [InlineData("localhost", true, false, HttpStatusCode.ServiceUnavailable)]
    [InlineData("127.0.0.1", false, false, HttpStatusCode.Forbidden)]
    [InlineData("rebound.example", true, false, HttpStatusCode.Forbidden)]
    [InlineData("127.0.0.1", true, true, HttpStatusCode.Forbidden)]
    public async Task Command_IsTakenFromTheOwnPageOnThisMachineOnly(string host, bool hasHeader, bool isForwarded, HttpStatusCode expected)
    {
        using var app = new FlowViewApp().With("FlowView:ResourceService:Url", NoAppHost).With("FlowView:ResourceService:Key", "key");
        using var client = app.Start();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/flow/api/resources/waf/stop") { Headers = { Host = host } };
        if (hasHeader) request.Headers.Add("X-FlowView-Command", "1");
        if (isForwarded) request.Headers.Add("X-Forwarded-For", "192.0.2.1");

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(expected, answer.StatusCode);
    }

    [Fact]
    public async Task WithoutAnAppHost_ThereAreNoResources()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        using var answer = await client.GetAsync("/flow/api/resources", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }
}
