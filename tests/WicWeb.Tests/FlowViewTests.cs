using System.Net;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>FlowView behind the gateway: read its pages, nothing else.</summary>
public sealed class FlowViewTests : IAsyncLifetime
{
    private BackendStub _wwsf = null!;
    private BackendStub _flowView = null!;
    private GatewayFactory _gateway = null!;
    private HttpClient _client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _wwsf = await BackendStub.StartAsync();
        _flowView = await BackendStub.StartAsync();
        _gateway = new GatewayFactory(_wwsf.Address) { FlowView = _flowView.Address }.With("environment", "Development");
        _ = _gateway.Address;
        _client = _gateway.CreateClient();
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _flowView.DisposeAsync();
        await _wwsf.DisposeAsync();
    }

    [Theory]
    [InlineData("/flow")]
    [InlineData("/flow/")]
    [InlineData("/flow/ladder/ladder.js")]
    [InlineData("/flow/api/traces?outcome=failed&attribute=ims.step%3D8")]
    [InlineData("/flow/api/traces/0af7651916cd43dd8448eb211c80319c")]
    public async Task Pages_AreForwardedAsTheyAre(string path)
    {
        using var response = await _client.GetAsync(path, Cancel);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(path, Assert.Single(_flowView.Requests).Target);
        Assert.Empty(_wwsf.Requests);
    }

    [Theory]
    [InlineData("POST", "/flow/api/traces")]
    [InlineData("POST", "/v1/logs")]
    [InlineData("POST", "/v1/metrics")]
    [InlineData("POST", "/v1/page/traces")]
    [InlineData("GET", "/v1/traces")]
    [InlineData("GET", "/flow/..%2fhealth")]
    [InlineData("GET", "/flow/%2e%2e%2fhealth")]
    public async Task NothingElse_ReachesFlowView(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _client.SendAsync(request, Cancel);

        Assert.False(response.IsSuccessStatusCode, $"{response.StatusCode}");
        Assert.Empty(_flowView.Requests);
    }

    [Fact]
    public async Task FlowViewDown_IsSaidInASentence()
    {
        await _flowView.DisposeAsync();

        using var response = await _client.GetAsync("/flow/", Cancel);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Contains("flow_view_unavailable", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }
}
