namespace WebRtcIms.WicWeb.Tests;

/// <summary>Several replicas of a backend.</summary>
public sealed class BalancingTests : IAsyncLifetime
{
    private BackendStub _one = null!;
    private BackendStub _other = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => (_one, _other) = (await BackendStub.StartAsync(), await BackendStub.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
    }

    /// <summary>Each call keeps a connection at its replica, so chance alone would load one more than the other.</summary>
    [Theory]
    [InlineData("wwsf", "/api/session")]
    [InlineData("ep-cscf", "/sip")]
    public async Task BusyReplica_NewRequestsGoToTheOther_WithoutAWarning(string backend, string path)
    {
        var isBusy = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        await using var gateway = new GatewayFactory(_one.Address, epCscf: _one.Address).WithAllLogs();
        gateway.With($"services:{backend}:http:1", _other.Address);
        using var client = new HttpClient { BaseAddress = gateway.Address };
        _one.Answer = _other.Answer = async context =>
        {
            if (!isBusy.TrySetResult()) return;
            await goOn.Task;
        };

        var first = client.GetAsync(path, Cancel);
        await isBusy.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        for (var i = 0; i < 8; i++) (await client.GetAsync(path, Cancel)).Dispose();
        goOn.SetResult();
        (await first).Dispose();

        Assert.Equal([1, 8], new[] { _one.Requests.Count, _other.Requests.Count }.Order());
        Assert.DoesNotContain("More than one destination", gateway.Logs.Text, StringComparison.Ordinal);
    }
}
