using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>A real redis-server that answers and does not serve: as a replica, full, behind a new password, while it loads.</summary>
public sealed class RedisFailureTests : IAsyncLifetime
{
    private readonly EngineFixture _fixture = new() { Waiting = [] };
    private readonly string _folder = Directory.CreateTempSubdirectory("redis-").FullName;
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;

    private IDatabase Database => _connection!.GetDatabase();

    private IServer Server => _connection!.GetServer(_redis!.Address);

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("read-only", false)]
    [InlineData("read-only", true)]
    [InlineData("password", false)]
    [InlineData("password", true)]
    [Requirement("ABUSE-75")]
    public async Task FailsOver_NoRequestIsAcceptedTwice_AndItReturnsByItself(string failure, bool deny) =>
        await AssertSurvivesAsync(
            deny,
            () => failure == "read-only" ? (Task)RunAsync("REPLICAOF", "127.0.0.1", "1") : ChangePasswordAsync("another"),
            () => failure == "read-only" ? (Task)RunAsync("REPLICAOF", "NO", "ONE") : ChangePasswordAsync(""));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-76")]
    public async Task Full_IsAsOneThatIsDown(bool deny) =>
        await AssertSurvivesAsync(deny, () => RunAsync("CONFIG", "SET", "maxmemory", "1"), () =>
            RunAsync("CONFIG", "SET", "maxmemory", "0"));

    [Fact]
    [Requirement("ABUSE-75")]
    public async Task Loading_IsAsDown_AndWhatWasAcceptedBeforeIsAReplayAfterwards()
    {
        await _redis!.StopAsync();
        _redis.Launch("--dir", _folder);
        await Eventually.IsTrueAsync(() => Task.FromResult(_connection!.IsConnected));
        var here = new TestNode(_fixture, _connection!);
        var there = new TestNode(_fixture, _connection!);
        var accepted = Pending();
        Assert.Equal(StunError.None, (await here.Admission.AdmitAsync(accepted)).Error);
        for (var i = 0; i < 300; i++) await Database.StringSetAsync($"filler:{i}", new string('x', 400));
        await RunAsync("SAVE");
        await _redis.StopAsync();
        _redis.Launch("--dir", _folder, "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024");

        // Other requests go on meanwhile, on this node's own caches.
        Assert.Equal(StunError.None, (await here.Admission.AdmitAsync(Pending())).Error);
        Assert.Equal(StunError.Unauthenticated, (await here.Admission.AdmitAsync(Stolen(accepted))).Error);
        await UntilServedAsync(here);
        Assert.Equal(StunError.Unauthenticated, (await there.Admission.AdmitAsync(Stolen(accepted))).Error);
    }

    private async Task AssertSurvivesAsync(bool deny, Func<Task> fail, Func<Task> recover)
    {
        var policy = deny ? CacheUnavailablePolicy.Deny : CacheUnavailablePolicy.AllowLocal;
        var here = new TestNode(_fixture, _connection!, policy: policy);
        var there = new TestNode(_fixture, _connection!, policy: policy);
        var before = Pending();
        Assert.Equal(StunError.None, (await here.Admission.AdmitAsync(before)).Error);
        await fail();
        await Eventually.IsTrueAsync(async () => !(await AskAsync(here)).IsAvailable);

        var expected = deny ? StunError.InsufficientCapacity : StunError.None;
        for (var i = 0; i < 5; i++) Assert.Equal(expected, (await here.Admission.AdmitAsync(Pending())).Error);
        Assert.Equal(BreakerState.Open, here.Tokens.Breaker.State);
        var during = Pending();
        Assert.Equal(expected, (await here.Admission.AdmitAsync(during)).Error);
        Assert.Equal(StunError.Unauthenticated, (await here.Admission.AdmitAsync(Stolen(during))).Error);
        Assert.Equal(StunError.Unauthenticated, (await here.Admission.AdmitAsync(Stolen(before))).Error);

        await recover();
        await UntilServedAsync(here);
        await UntilServedAsync(there);
        Assert.Equal(StunError.Unauthenticated, (await here.Admission.AdmitAsync(Stolen(during))).Error);
        Assert.Equal(StunError.Unauthenticated, (await there.Admission.AdmitAsync(Stolen(before))).Error);

        // Nothing is left over of what was begun meanwhile.
        var last = Pending();
        var admission = await here.Admission.AdmitAsync(last);
        Assert.Equal(StunError.None, admission.Error);
        admission.Lease!.Dispose();
        var life = $"turn:life:{last.Proof.Credential.Token!.KeyId}:{last.Proof.Credential.Token.TokenId}";
        await Eventually.IsTrueAsync(async () => (long)await Database.HashGetAsync(life, "live") == 0);
    }

    private async Task UntilServedAsync(TestNode node)
    {
        await Eventually.IsTrueAsync(async () => (await AskAsync(node)).IsAvailable);
        Assert.Equal(BreakerState.Closed, node.Tokens.Breaker.State);
    }

    // Open connections stay authenticated, so all are closed, also that of the test.
    private async Task ChangePasswordAsync(string password)
    {
        using var admin =
            await ConnectionMultiplexer.ConnectAsync(
                $"{_redis!.Address},allowAdmin=true{(password.Length == 0 ? ",password=another" : "")}");
        var server = admin.GetServer(_redis.Address);
        await server.ExecuteAsync("CONFIG", "SET", "requirepass", password);
        await server.ExecuteAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    }

    private Task<RedisResult> RunAsync(string command, params object[] arguments) => Server.ExecuteAsync(command, arguments);

    private Task<TokenAnswer> AskAsync(TestNode node)
    {
        var pending = Pending();
        return node.Tokens.RegisterAsync(pending.Proof.Credential.Token!, pending);
    }

    private PendingAllocation Pending()
    {
        _fixture.NewClient(_fixture.NewToken().Native).TryAllocate();
        return _fixture.Waiting![^1];
    }

    private PendingAllocation Stolen(PendingAllocation pending) => pending with { FiveTuple = _fixture.NewFlow() };
}
