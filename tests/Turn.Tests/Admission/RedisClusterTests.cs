using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>The shared caches on a real cluster: keys on all nodes, slots that move, a master that dies.</summary>
public sealed class RedisClusterTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    private readonly EngineFixture _fixture = new() { Waiting = [] };
    private RedisCluster? _cluster;
    private ConnectionMultiplexer? _connection;

    public async ValueTask InitializeAsync()
    {
        _cluster = await RedisCluster.StartAsync();
        _connection = await ConnectionMultiplexer.ConnectAsync(new ConfigurationOptions
        {
            EndPoints = { _cluster.Address },
            AbortOnConnectFail = false,
            BacklogPolicy = BacklogPolicy.FailFast,
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        if (_cluster is not null) await _cluster.DisposeAsync();
    }

    [Fact]
    [Requirement("ABUSE-75")]
    public async Task Cluster_ServesEveryToken_WhereverItsKeysAre()
    {
        var (here, there) = (Node(), Node());
        for (var i = 0; i < 50; i++)
        {
            var pending = Pending();
            Assert.True((await AskAsync(here, pending)).IsAvailable);
            var again = await AskAsync(there, pending with { FiveTuple = _fixture.NewFlow() });
            Assert.Equal((true, true, true), (again.IsAvailable, again.IsReplay, again.IsKnown));
        }

        // On every node of it.
        Assert.Equal(50, await _cluster!.CountKeysAsync("turn:replay:*"));
    }

    [Fact]
    [Requirement("ABUSE-75")]
    public async Task SlotsThatMove_AreFollowed()
    {
        var (here, there) = (Node(), Node());
        var first = Pending();
        Assert.True((await AskAsync(here, first)).IsAvailable);
        HashSet<int> used = [.. KeysOf(first).Select(SlotOf)];
        for (var i = 0; i < 10; i++)
        {
            var pending = PendingOutside(used);
            foreach (var key in KeysOf(pending).DistinctBy(SlotOf)) await _cluster!.MoveSlotAsync(key);

            Assert.Equal(StunError.None, (await here.Admission.AdmitAsync(pending)).Error);
            var replayed = await AskAsync(there, pending with { FiveTuple = _fixture.NewFlow() });
            Assert.True(replayed.IsAvailable, there.Logs.Text);
            Assert.True(replayed.IsReplay);
        }
    }

    [Fact]
    [Requirement("ABUSE-75")]
    public async Task MasterThatDies_IsReplaced_AndWhatItKnewIsStillRefused()
    {
        var (here, there) = (Node(), Node());
        List<PendingAllocation> accepted = [];
        for (var i = 0; i < 30; i++)
        {
            accepted.Add(Pending());
            Assert.True((await AskAsync(here, accepted[^1])).IsAvailable);
        }

        await _cluster!.UntilReplicatedAsync();
        await _cluster.FailOverAsync();

        // Clients that allocate meanwhile are served with the caches of the node.
        Assert.Equal(StunError.None, (await here.Admission.AdmitAsync(Pending())).Error);
        foreach (var pending in accepted)
        {
            await Eventually.IsTrueAsync(async () =>
            {
                var answer = await AskAsync(there, pending with { FiveTuple = _fixture.NewFlow() });
                if (answer.IsAvailable) Assert.True(answer.IsReplay);
                return answer.IsAvailable;
            });
        }
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task Revocation_IsHeard_ThroughWhicheverNode()
    {
        using var other = await ConnectionMultiplexer.ConnectAsync(_cluster!.Address);
        var heard = new TaskCompletionSource<string>();
        await other.GetSubscriber().SubscribeAsync(TurnRevocations.Channel, (_, message) => heard.TrySetResult(message!));
        var until = _fixture.Time.Utc.AddMinutes(10);
        var pending = Pending();
        var token = pending.Proof.Credential.Token!;

        await TurnRevocations.WriteAsync(
            _connection!.GetDatabase(), TurnRevocations.OfToken(token.KeyId, token.TokenId), until, _fixture.Time.Utc);

        Assert.Equal(
            TurnRevocations.Message(TurnRevocations.OfToken(token.KeyId, token.TokenId), until),
            await heard.Task.WaitAsync(Limit, TestContext.Current.CancellationToken));
        Assert.Equal(StunError.Unauthenticated, (await Node().Admission.AdmitAsync(pending)).Error);
    }

    private TestNode Node() => new(_fixture, _connection!);

    private static Task<TokenAnswer> AskAsync(TestNode node, PendingAllocation pending) =>
        node.Tokens.RegisterAsync(pending.Proof.Credential.Token!, pending);

    private PendingAllocation Pending()
    {
        _fixture.NewClient(_fixture.NewToken().Native).TryAllocate();
        return _fixture.Waiting![^1];
    }

    /// <summary>
    /// An Allocate whose keys are in none of these slots; its slots are added. Redis refuses to give away a slot that holds keys, and
    /// one in thirty runs would otherwise meet such a slot.
    /// </summary>
    private PendingAllocation PendingOutside(HashSet<int> used)
    {
        PendingAllocation pending;
        do pending = Pending();
        while (KeysOf(pending).Any(key => used.Contains(SlotOf(key))));
        used.UnionWith(KeysOf(pending).Select(SlotOf));
        return pending;
    }

    private static string[] KeysOf(PendingAllocation pending)
    {
        var token = pending.Proof.Credential.Token!;
        return
        [
            $"turn:grant:{token.KeyId}:{token.TokenId}", $"turn:life:{token.KeyId}:{token.TokenId}",
            $"turn:replay:{token.KeyId}:{token.TokenId}:{pending.TransactionId}",
        ];
    }

    private int SlotOf(string key) => _connection!.HashSlot(key);
}
