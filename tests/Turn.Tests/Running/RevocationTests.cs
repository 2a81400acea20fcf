using System.Net.Http.Json;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>What the authorization server revokes ends at two nodes at once, over a real redis-server.</summary>
public sealed class RevocationTests : IAsyncLifetime
{
    private readonly TokenKey _key = new("k1");
    private readonly List<TurnServerProcess> _nodes = [];
    private readonly List<TurnClient> _clients = [];
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    private IDatabase Database => _connection!.GetDatabase();

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
        for (var i = 0; i < 2; i++) _nodes.Add(await StartNodeAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        foreach (var client in _clients) await client.DisposeAsync();
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    [Requirement("RFC7635-9")]
    public async Task RevokedToken_EndsAtEveryNode_AndNothingElseDoes()
    {
        var (revoked, good) = (_key.Issue(), _key.Issue());
        TurnAllocation[] ending = [await AllocateAsync(0, revoked.Native), await AllocateAsync(1, revoked.Browser)];
        var goesOn = await AllocateAsync(0, good.Native);
        await RevokeAsync(TurnRevocations.OfToken(revoked.Kid, revoked.TokenId), Now.AddMinutes(10));

        foreach (var allocation in ending) await AssertEndedAsync(allocation, StunError.Unauthenticated);
        foreach (var node in new[] { 0, 1 }) await AssertRefusedAsync(node, revoked.Native);
        await goesOn.RefreshAsync(cancellationToken: Cancel);

        // Not as a renewal either.
        Assert.Equal(
            StunError.Unauthenticated, (await Assert.ThrowsAsync<TurnException>(() => goesOn.RenewAsync(revoked.Native, Cancel))).Code);
        await goesOn.RefreshAsync(cancellationToken: Cancel);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RevokedClient_EndsWhatItGotBefore_AndGoesOnWithANewSecret()
    {
        var before = await GrantedAsync("wwsf", age: TimeSpan.FromSeconds(20));
        var ofAnother = await GrantedAsync("other", age: TimeSpan.FromSeconds(20));
        var ending = await AllocateWithGrantAsync(0, before.Native);
        var goesOn = await AllocateWithGrantAsync(1, ofAnother.Native);
        await RevokeAsync(TurnRevocations.OfClient("wwsf"), Now + TokenLimits.LongestLifetime - TimeSpan.FromSeconds(10));

        await AssertEndedAsync(ending, StunError.AllocationMismatch);
        await AssertRefusedAsync(1, before.Native);
        await goesOn.RefreshAsync(cancellationToken: Cancel);
        await AllocateAsync(0, (await GrantedAsync("wwsf", age: TimeSpan.Zero)).Native);
    }

    [Fact]
    [Requirement("SEC-15")]
    [Requirement("ABUSE-49")]
    public async Task RevokedSession_EndsAtEveryNode_WithTokensAndRenewalsOfIt_AndOtherSessionsGoOn()
    {
        TestCredentials[] tokens = [.. await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => GrantedAsync("wwsf", default)))];
        var (token, next, later) = (tokens[0], tokens[1], tokens[2]);
        var ofAnother = await GrantedAsync("wwsf", default, session: "u-2");
        TurnAllocation[] ending = [await AllocateWithGrantAsync(0, token.Native), await AllocateWithGrantAsync(1, next.Browser)];
        var goesOn = await AllocateWithGrantAsync(1, ofAnother.Native);
        await ending[0].RenewAsync(next.Native, Cancel);
        await RevokeAsync(TurnRevocations.OfSession("u-1"), Now + TokenLimits.LongestLifetime);

        await AssertEndedAsync(ending[0], StunError.AllocationMismatch);
        await AssertEndedAsync(ending[1], StunError.AllocationMismatch);
        foreach (var node in new[] { 0, 1 })
        {
            // A token that was made before and not used yet.
            await AssertRefusedAsync(node, later.Native);
            await AssertRefusedAsync(node, token.Browser);
        }

        // Another session may not renew with it, and a node that starts later knows.
        await Assert.ThrowsAsync<TurnException>(() => goesOn.RenewAsync(later.Native, Cancel));
        await goesOn.RefreshAsync(cancellationToken: Cancel);
        _nodes.Add(await StartNodeAsync());
        await AssertRefusedAsync(2, later.Native);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task KeyRevokedAtOneNode_IsRevokedAtAll_AndAtThoseThatStartLater()
    {
        var token = _key.Issue();
        var ending = await AllocateAsync(1, token.Native);
        using var http = new HttpClient();
        var answer =
            await http.PostAsJsonAsync(new Uri($"http://127.0.0.1:{_nodes[0].ManagementPort}/revocations"), new { kid = "k1" }, Cancel);
        Assert.True(answer.IsSuccessStatusCode);

        await AssertEndedAsync(ending, StunError.Unauthenticated);
        _nodes.Add(await StartNodeAsync());
        await AssertRefusedAsync(2, _key.Issue().Native);
        Assert.True((await Database.KeyTimeToLiveAsync(TurnRevocations.Key)) > TimeSpan.Zero);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RevocationThatANodeDidNotHear_RefusesTheRenewal()
    {
        var (first, next) = (_key.Issue(), _key.Issue());
        var allocation = await AllocateAsync(0, first.Native);

        // Written, and not published: Redis alone knows.
        await Database.SortedSetAddAsync(
            TurnRevocations.Key, TurnRevocations.OfToken(next.Kid, next.TokenId), Now.AddMinutes(10).ToUnixTimeSeconds());
        Assert.Equal(
            StunError.Unauthenticated, (await Assert.ThrowsAsync<TurnException>(() => allocation.RenewAsync(next.Native, Cancel))).Code);
        await allocation.RefreshAsync(cancellationToken: Cancel);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task NodeThatWasCutOff_LearnsWhatItMissed()
    {
        var token = _key.Issue();
        var ending = await AllocateAsync(0, token.Native);
        await _redis!.StopAsync();
        await ending.RefreshAsync(cancellationToken: Cancel);
        await _redis.RestartAsync();
        await Eventually.IsTrueAsync(async () =>
        {
            try
            {
                return await Database.SortedSetAddAsync(
                    TurnRevocations.Key, TurnRevocations.OfToken(token.Kid, token.TokenId), Now.AddMinutes(10).ToUnixTimeSeconds());
            }
            catch (Exception error) when (error is RedisException or TimeoutException)
            {
                return false;
            }
        });

        await AssertEndedAsync(ending, StunError.Unauthenticated);

        // And hears again what is published.
        var next = _key.Issue();
        var allocation = await AllocateAsync(0, next.Native);
        await RevokeAsync(TurnRevocations.OfToken(next.Kid, next.TokenId), Now.AddMinutes(10));
        await AssertEndedAsync(allocation, StunError.Unauthenticated);
    }

    [Fact]
    [Requirement("ABUSE-77")]
    public async Task GarbageOnTheChannel_IsIgnored()
    {
        // A node that has just started subscribes a little later.
        var channel = _connection!.GetSubscriber();
        await Eventually.IsTrueAsync(async () => await channel.PublishAsync(TurnRevocations.Channel, "") == _nodes.Count);
        foreach (var message in (string[])["9999999999", "99999999999999999999 key:k1", "-1 key:k1", "soon key:k1"])
            await channel.PublishAsync(TurnRevocations.Channel, message);

        // It arrives behind the garbage.
        await channel.PublishAsync(TurnRevocations.Channel, TurnRevocations.Message(TurnRevocations.OfKey("k9"), Now.AddMinutes(10)));
        await _nodes[0].WaitForOutputAsync("Revoked until");
        await AllocateAsync(0, _key.Issue().Native);
        var revoked = Assert.Single(
            _nodes[0].Output.Split('\n'), line => line.Contains("Revoked until", StringComparison.Ordinal));
        Assert.Contains(": key:k9; 0 allocations", revoked, StringComparison.Ordinal);
    }

    private async Task<TurnServerProcess> StartNodeAsync() =>
        await TurnServerProcess.StartAsync([.. _key.Settings(), ("ConnectionStrings__redis", _redis!.Address), ("Turn__Workers", "1")]);

    private Task RevokeAsync(string name, DateTimeOffset until) => TurnRevocations.WriteAsync(Database, name, until, Now);

    private async Task<TestCredentials> GrantedAsync(string clientId, TimeSpan age, string session = "u-1")
    {
        var token = _key.Issue(age: age);
        await Database.StringSetAsync(
            $"turn:grant:{token.Kid}:{token.TokenId}", JsonSerializer.Serialize(new { client_id = clientId, pseudonym = session }),
            TimeSpan.FromMinutes(10));
        return token;
    }

    private async Task<TurnAllocation> AllocateAsync(int node, TurnCredential credential)
    {
        var client = await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_nodes[node].Port}"), cancellationToken: Cancel);
        _clients.Add(client);
        return await client.AllocateAsync(credential, cancellationToken: Cancel);
    }

    // A node that has just started, or whose Redis takes longer than the budget, learns it a little later.
    private Task AssertRefusedAsync(int node, TurnCredential credential) => Eventually.IsTrueAsync(async () =>
    {
        try
        {
            await (await AllocateAsync(node, credential)).DisposeAsync();
            return false;
        }
        catch (TurnException refused)
        {
            Assert.Equal(StunError.Unauthenticated, refused.Code);
            return true;
        }
    });

    // When Redis takes longer than the budget the node does not learn whose the token is.
    private async Task<TurnAllocation> AllocateWithGrantAsync(int node, TurnCredential credential)
    {
        TurnAllocation? allocation = null;
        await Eventually.IsTrueAsync(async () =>
        {
            allocation = await AllocateAsync(node, credential);
            if ((await AllocationsAsync(node)).Exists(listed => listed.GetProperty("user").ValueKind == JsonValueKind.String)) return true;
            await allocation.DisposeAsync();
            return false;
        });
        return allocation!;
    }

    private async Task<List<JsonElement>> AllocationsAsync(int node)
    {
        using var http = new HttpClient();
        return [.. JsonElement.Parse(
            await http.GetStringAsync(new Uri($"http://127.0.0.1:{_nodes[node].ManagementPort}/allocations"), Cancel)).EnumerateArray()];
    }

    private static async Task AssertEndedAsync(TurnAllocation allocation, StunError error)
    {
        await Eventually.IsTrueAsync(async () =>
        {
            try
            {
                await allocation.RefreshAsync(cancellationToken: Cancel);
                return false;
            }
            catch (TurnException refused)
            {
                Assert.Equal(error, refused.Code);
                return true;
            }
        });
    }
}
