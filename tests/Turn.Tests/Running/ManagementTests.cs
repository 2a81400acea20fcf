using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>What operators can see and do on the management port, and who cannot.</summary>
public sealed class ManagementTests : IAsyncLifetime
{
    private readonly TokenKey _key = new("k1");
    private readonly TokenKey _other = new("k2");
    private readonly HttpClient _http = new();
    private TurnServerProcess? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _server = await TurnServerProcess.StartAsync(
            [.. _key.Settings(), .. _other.Settings(1), ("Turn__Workers", "2"), ("AllowedHosts", "127.0.0.1;localhost;*.example")]);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    [Fact]
    public async Task Allocations_AreListed_WithoutSecretsAndAddressesOfPeople()
    {
        var token = _key.Issue();
        await using var one = await ConnectAsync("?transport=tcp");
        var allocation = await one.AllocateAsync(token.Native, cancellationToken: Cancel);
        await using var two = await ConnectAsync();
        await two.AllocateAsync(_other.Issue().Browser, cancellationToken: Cancel);
        await using var traffic = new Traffic([allocation]);
        await traffic.AssertEachRelaysAsync();

        var text = await _http.GetStringAsync(Url("/allocations"), Cancel);
        var list = JsonElement.Parse(text);
        Assert.Equal(2, list.GetArrayLength());
        var listed = list.EnumerateArray().Single(entry => entry.GetProperty("kid").GetString() == "k1");
        Assert.Equal("tcp", listed.GetProperty("transport").GetString());
        Assert.Equal(
            [allocation.RelayedAddress.ToString()], listed.GetProperty("relayed").EnumerateArray().Select(address => address.GetString()));
        Assert.InRange(listed.GetProperty("lifetime_seconds").GetInt64(), 1, 600);
        Assert.Equal(1, listed.GetProperty("permissions").GetInt32());
        Assert.True(listed.GetProperty("packets_to_peers").GetInt64() > 0);
        Assert.True(listed.GetProperty("bytes_to_client").GetInt64() > 0);
        foreach (var secret in new[] { token.TokenId, Convert.ToBase64String(token.MacKey), Convert.ToBase64String(token.Token),
            allocation.MappedAddress.ToString() })
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disconnect_EndsOne_AndTheOthersGoOn()
    {
        await using var one = await ConnectAsync();
        var ended = await one.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel);
        await using var two = await ConnectAsync();
        var goesOn = await two.AllocateAsync(_other.Issue().Native, cancellationToken: Cancel);
        var id = JsonElement.Parse(await _http.GetStringAsync(Url("/allocations"), Cancel)).EnumerateArray()
            .Single(entry => entry.GetProperty("kid").GetString() == "k1").GetProperty("id").GetString();

        Assert.Equal(HttpStatusCode.NoContent, (await _http.DeleteAsync(Url($"/allocations/{id}"), Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.DeleteAsync(Url($"/allocations/{id}"), Cancel)).StatusCode);
        Assert.Equal(
            StunError.AllocationMismatch,
            (await Assert.ThrowsAsync<TurnException>(() => ended.RefreshAsync(cancellationToken: Cancel))).Code);
        await goesOn.RefreshAsync(cancellationToken: Cancel);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RevokedKey_EndsItsAllocations_AndMakesNoMore_WithoutRedis()
    {
        await using var one = await ConnectAsync();
        var ended = await one.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel);
        await using var two = await ConnectAsync();
        var goesOn = await two.AllocateAsync(_other.Issue().Native, cancellationToken: Cancel);

        Assert.Equal(HttpStatusCode.NoContent, (await _http.PostAsJsonAsync(Url("/revocations"), new { kid = "k1" }, Cancel)).StatusCode);
        Assert.Equal(
            StunError.Unauthenticated, (await Assert.ThrowsAsync<TurnException>(() => ended.RefreshAsync(cancellationToken: Cancel))).Code);
        await using var three = await ConnectAsync();
        var refused = await Assert.ThrowsAsync<TurnException>(() => three.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel));
        Assert.Equal(StunError.Unauthenticated, refused.Code);
        await goesOn.RefreshAsync(cancellationToken: Cancel);
        Assert.Equal(
            StunError.Unauthenticated,
            (await Assert.ThrowsAsync<TurnException>(() => goesOn.RenewAsync(_key.Issue().Native, Cancel))).Code);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task AllTokensRevoked_EndsThoseIssuedSoFar_AndNewOnesWork()
    {
        var before = _key.Issue();
        await using var one = await ConnectAsync();
        var ended = await one.AllocateAsync(before.Native, cancellationToken: Cancel);
        await using var two = await ConnectAsync();
        var alsoEnded = await two.AllocateAsync(_other.Issue().Browser, cancellationToken: Cancel);

        Assert.Equal(HttpStatusCode.NoContent, (await _http.PostAsJsonAsync(Url("/revocations"), new { all = true }, Cancel)).StatusCode);
        foreach (var allocation in new[] { ended, alsoEnded })
            Assert.Equal(
                StunError.Unauthenticated,
                (await Assert.ThrowsAsync<TurnException>(() => allocation.RefreshAsync(cancellationToken: Cancel))).Code);
        await using var three = await ConnectAsync();
        Assert.Equal(
            StunError.Unauthenticated,
            (await Assert.ThrowsAsync<TurnException>(() => three.AllocateAsync(before.Native, cancellationToken: Cancel))).Code);
        await three.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel);
    }

    [Fact]
    public async Task Drain_RefusesNewClients_UntilResumed_AndTheOthersGoOn()
    {
        await using var one = await ConnectAsync();
        var goesOn = await one.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel);

        var drained = await _http.PostAsync(Url("/drain"), content: null, Cancel);
        Assert.Equal(1, JsonElement.Parse(await drained.Content.ReadAsStringAsync(Cancel)).GetProperty("allocations").GetInt32());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _http.GetAsync(Url("/ready"), Cancel)).StatusCode);
        await using var two = await ConnectAsync();
        var refused = await Assert.ThrowsAsync<TurnException>(() => two.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel));
        Assert.Equal(StunError.InsufficientCapacity, refused.Code);
        await goesOn.RefreshAsync(cancellationToken: Cancel);

        Assert.Equal(HttpStatusCode.OK, (await _http.DeleteAsync(Url("/drain"), Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(Url("/ready"), Cancel)).StatusCode);
        await two.AllocateAsync(_key.Issue().Native, cancellationToken: Cancel);
    }

    private Uri Url(string path) => new($"http://127.0.0.1:{_server!.ManagementPort}{path}");

    private async Task<TurnClient> ConnectAsync(string query = "") =>
        await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_server!.Port}{query}"), cancellationToken: Cancel);
}
