using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>What the caches that all nodes share decide about an Allocate, against a real redis-server.</summary>
public sealed class AdmissionTests : IAsyncLifetime
{
    private readonly EngineFixture _fixture = new() { Waiting = [] };
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;

    private IDatabase Database => _connection!.GetDatabase();

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    [Requirement("ABUSE-41")]
    public async Task SameRequestFromAnotherClient_IsRefusedOnEveryNode_ARetransmissionIsNot()
    {
        var (here, there) = (Node(), Node());
        var first = Pending();
        var stolen = first with { FiveTuple = _fixture.NewFlow() };

        using var accepted = (await here.AdmitAsync(first)).Lease;
        Assert.NotNull(accepted);
        Assert.Equal(StunError.Unauthenticated, (await here.AdmitAsync(stolen)).Error);
        Assert.Equal(StunError.Unauthenticated, (await there.AdmitAsync(stolen)).Error);
        Assert.Equal(StunError.None, (await here.AdmitAsync(first)).Error);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public async Task OneToken_MayMakeAllocationsUpToItsQuotaInTheFleet()
    {
        var settings = new QuotaSettings { PerToken = 2 };
        var (here, there) = (Node(settings), Node(settings));
        var token = _fixture.NewToken().Native;

        var one = await here.AdmitAsync(Pending(token));
        var two = await there.AdmitAsync(Pending(token));
        Assert.Equal(StunError.AllocationQuotaReached, (await there.AdmitAsync(Pending(token))).Error);
        one.Lease!.Dispose();
        await Eventually.IsTrueAsync(async () => (await there.AdmitAsync(Pending(token))).Error == StunError.None);
        two.Lease!.Dispose();
    }

    [Fact]
    public async Task ClientAddressesOfAToken_AreBoundedInTheFleet()
    {
        var node = Node(new QuotaSettings { AddressesPerToken = 2 });
        var token = _fixture.NewToken().Native;
        StunError[] errors = [.. await Task.WhenAll(Enumerable.Range(1, 3).Select(async i =>
            (await node.AdmitAsync(From($"198.51.100.{i}", Pending(token)))).Error))];

        Assert.Equal(2, errors.Count(error => error == StunError.None));
        Assert.Equal(1, errors.Count(error => error == StunError.AllocationQuotaReached));
    }

    [Fact]
    [Requirement("SEC-12")]
    [Requirement("ABUSE-41")]
    public async Task RefusedAddressOfAToken_ShutsOutNoneOfTheOthers_OnAnyNode()
    {
        var quotas = new QuotaSettings { AddressesPerToken = 2 };
        var (here, there) = (Node(quotas), Node(quotas));
        var token = _fixture.NewToken().Native;
        async Task<StunError> FromAsync(AllocationAdmission node, int host) =>
            (await node.AdmitAsync(From($"198.51.100.{host}", Pending(token)))).Error;

        Assert.Equal(StunError.None, await FromAsync(here, 1));
        Assert.Equal(StunError.None, await FromAsync(there, 2));
        foreach (var host in new[] { 3, 4 }) Assert.Equal(StunError.AllocationQuotaReached, await FromAsync(here, host));
        foreach (var host in new[] { 1, 2 }) Assert.Equal(StunError.None, await FromAsync(here, host));
        foreach (var host in new[] { 1, 2 }) Assert.Equal(StunError.None, await FromAsync(there, host));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-49")]
    public async Task RevokedTokenOrKey_IsRefused(bool key)
    {
        var pending = Pending();
        var token = pending.Proof.Credential.Token!;
        var name = key ? TurnRevocations.OfKey(token.KeyId) : TurnRevocations.OfToken(token.KeyId, token.TokenId);
        await TurnRevocations.WriteAsync(Database, name, _fixture.Time.Utc.AddMinutes(10), _fixture.Time.Utc);

        Assert.Equal(StunError.Unauthenticated, (await Node().AdmitAsync(pending)).Error);
        Assert.Equal(0, (long)await Database.HashGetAsync($"turn:life:{token.KeyId}:{token.TokenId}", "live"));
    }

    [Fact]
    public async Task Grant_GivesTheSpanItsParent_AndTheQuotaItsUser()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "WebRtcIms.Turn",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        var node = Node(new QuotaSettings { PerUser = 1 });
        var first = Pending();
        await GrantAsync(first, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        var second = Pending();
        await GrantAsync(second, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

        var admission = await node.AdmitAsync(first);
        Assert.Equal("0af7651916cd43dd8448eb211c80319c", admission.Activity!.TraceId.ToHexString());
        Assert.Equal("b7ad6b7169203331", admission.Activity.ParentSpanId.ToHexString());
        Assert.Equal(StunError.AllocationQuotaReached, (await node.AdmitAsync(second)).Error);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("{\"traceparent\":7}")]
    [InlineData("[]")]
    [Requirement("ABUSE-77")]
    public async Task GarbageInTheGrant_StopsNothing(string grant)
    {
        var pending = Pending();
        var token = pending.Proof.Credential.Token!;
        await Database.StringSetAsync($"turn:grant:{token.KeyId}:{token.TokenId}", grant, TimeSpan.FromMinutes(1));

        Assert.Equal(StunError.None, (await Node().AdmitAsync(pending)).Error);
    }

    [Fact]
    public async Task KeysInRedis_AllEnd_AndHoldNoAddressAndNoSecret()
    {
        var token = _fixture.NewToken();
        await Node().AdmitAsync(Pending(token.Native));
        var server = _connection!.GetServer(_redis!.Address);
        await foreach (var key in server.KeysAsync())
        {
            Assert.Matches("^turn:(life|replay):k1:", key.ToString());
            Assert.InRange((await Database.KeyTimeToLiveAsync(key))!.Value.TotalSeconds, 590, 600);
        }

        var content = string.Join('\n', await DumpAsync(server));
        Assert.Contains("turn:life:k1:", content, StringComparison.Ordinal);
        Assert.DoesNotContain("198.51.100.7", content, StringComparison.Ordinal);
        foreach (var form in new[] { Convert.ToBase64String(token.MacKey), Convert.ToHexString(token.MacKey),
            Convert.ToBase64String(token.Octets) })
            Assert.DoesNotContain(form, content, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AllocationThatOutlivesItsFirstToken_LeavesNothingInRedis()
    {
        var pending = Pending();
        var token = pending.Proof.Credential.Token!;
        var admission = await Node().AdmitAsync(pending);
        await Database.KeyDeleteAsync($"turn:life:{token.KeyId}:{token.TokenId}");

        admission.Lease!.Dispose();

        // Behind what the end of the allocation has sent.
        await Database.PingAsync();
        Assert.False(await Database.KeyExistsAsync($"turn:life:{token.KeyId}:{token.TokenId}"));
    }

    [Fact]
    [Requirement("ABUSE-75")]
    public async Task ScriptsForgotten_EachAllocateIsCounted()
    {
        var node = new TestNode(_fixture, _connection!);
        await node.Admission.AdmitAsync(Pending());
        await _connection!.GetServer(_redis!.Address).ExecuteAsync("SCRIPT", "FLUSH");

        var pending = Pending();
        var answer = await node.Tokens.RegisterAsync(pending.Proof.Credential.Token!, pending);
        Assert.True(answer.IsAvailable);
        Assert.Equal(1, answer.LiveAllocations);
        Assert.Equal(1, answer.ClientAddresses);
    }

    [Theory]
    [InlineData(CacheUnavailablePolicy.AllowLocal, StunError.None)]
    [InlineData(CacheUnavailablePolicy.Deny, StunError.InsufficientCapacity)]
    [Requirement("ABUSE-73")]
    internal async Task RedisGone_IsDecidedByThePolicy_AndReturnsByItself(CacheUnavailablePolicy policy, StunError error)
    {
        var node = Node(policy: policy);
        await _redis!.StopAsync();
        Assert.Equal(error, (await node.AdmitAsync(Pending())).Error);
        await _redis.RestartAsync();

        await Eventually.IsTrueAsync(async () =>
        {
            var pending = Pending();
            await node.AdmitAsync(pending);
            var token = pending.Proof.Credential.Token!;
            return _connection!.IsConnected && await Database.KeyExistsAsync($"turn:life:{token.KeyId}:{token.TokenId}");
        });
    }

    /// <summary>A real server that keeps its connections and is silent; the budget runs on the clock of the node.</summary>
    [Fact]
    [Requirement("ABUSE-74")]
    public async Task RedisHangs_AnAllocateWaitsItsBudget_AndTheNextNotAtAll()
    {
        // The client's own limit does not end the wait.
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"{_redis!.Address},asyncTimeout=60000");
        var time = new FakeTimeProvider(_fixture.Time.Utc);
        var node = new TestNode(_fixture, connection, time: time).Admission;
        await node.AdmitAsync(Pending());
        _redis.Hang();
        try
        {
            var waiting = node.AdmitAsync(Pending()).AsTask();
            time.Advance(TimeSpan.FromMilliseconds(249));
            Assert.False(waiting.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(1));
            var admitted = await waiting.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
            var next = node.AdmitAsync(Pending());

            Assert.Equal(StunError.None, admitted.Error);
            Assert.True(next.IsCompletedSuccessfully);
        }
        finally
        {
            _redis.GoOn();
        }
    }

    private static PendingAllocation From(string address, PendingAllocation pending) => pending with
    {
        FiveTuple = pending.FiveTuple with { Client = new TransportAddress(InternetAddress.Parse(address), 4000) },
    };

    private static async Task<List<string>> DumpAsync(IServer server)
    {
        List<string> lines = [];
        await foreach (var key in server.KeysAsync())
        {
            lines.Add(key.ToString());
            var database = server.Multiplexer.GetDatabase();
            lines.Add(await database.KeyTypeAsync(key) switch
            {
                RedisType.String => (string?)await database.StringGetAsync(key) ?? "",
                RedisType.Hash => string.Join(',', await database.HashGetAllAsync(key)),
                var type => throw new InvalidOperationException($"unexpected {type}"),
            });
        }

        return lines;
    }

    private PendingAllocation Pending(StunCredential? credential = null)
    {
        _fixture.NewClient(credential ?? _fixture.NewToken().Native).TryAllocate();
        return _fixture.Waiting![^1];
    }

    private async Task GrantAsync(PendingAllocation pending, string traceparent)
    {
        var token = pending.Proof.Credential.Token!;
        var grant = JsonSerializer.Serialize(new { client_id = "wwsf", pseudonym = "u-1", traceparent });
        await Database.StringSetAsync($"turn:grant:{token.KeyId}:{token.TokenId}", grant, TimeSpan.FromMinutes(1));
    }

    private AllocationAdmission Node(QuotaSettings? quotas = null, CacheUnavailablePolicy policy = CacheUnavailablePolicy.AllowLocal) =>
        new TestNode(_fixture, _connection!, quotas, policy).Admission;
}
