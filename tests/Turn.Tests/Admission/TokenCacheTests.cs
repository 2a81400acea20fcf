using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Tests.Telemetry;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>The caches that all nodes share, with a Redis that the test controls.</summary>
public sealed class TokenCacheTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly EngineFixture _engine = new() { Waiting = [] };
    private readonly FakeRedis _redis = new();
    private readonly FakeTimeProvider _clock;
    private readonly LogRecorder _log = new();
    private readonly TestNode _node;
    private readonly Measurements _measurements;
    private readonly TokenCache _cache;

    public TokenCacheTests()
    {
        _clock = new FakeTimeProvider(_engine.Time.Utc);
        _node = new TestNode(_engine, redis: null);
        _measurements = new Measurements(_node.Meters);
        _cache = new TokenCache(
            _redis.Connection, _node.Metrics, _node.Settings, _clock, new LoggerFactory([_log]).CreateLogger<TokenCache>());
    }

    private DateTimeOffset Now => _clock.GetUtcNow();

    public void Dispose()
    {
        _measurements.Dispose();
        _log.Dispose();
    }

    [Fact]
    [Requirement("ABUSE-41")]
    public async Task Register_HasTheKeysOfTheToken_AndNoAddress()
    {
        var (pending, token) = NewPending();
        await _cache.RegisterAsync(token, pending);

        var name = $"k1:{token.TokenId}";
        var flow = TokenCache.Hash(pending.FiveTuple.ToString());
        Assert.Matches("^[0-9a-f]{24}$", flow);
        Assert.Equal(
            [
                $"GET turn:grant:{name}",
                $"ZMSCORE turn:revoked key:k1 token:{name}",
                $"FIRST turn:replay:{name}:{pending.TransactionId} {flow} 600",
                $"COUNT turn:life:{name} {Now.ToUnixTimeSeconds()} {TokenCache.Hash("198.51.100.7")} 600 4",
            ],
            _redis.Commands);
        Assert.Equal(1, _redis.Executed);
    }

    [Fact]
    [Requirement("TURN-B33")]
    public async Task AddressesOfOneIPv6Network_AreOneClientInTheFleet()
    {
        foreach (var address in new[] { "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1" })
        {
            var (pending, token) = NewPending();
            var client = new TransportAddress(InternetAddress.Parse(address), 1);
            await _cache.RegisterAsync(token, pending with { FiveTuple = pending.FiveTuple with { Client = client } });
        }

        var networks = _redis.Commands.Where(command => command.StartsWith("COUNT", StringComparison.Ordinal))
            .Select(command => command.Split(' ')[3]).ToList();
        Assert.Equal(networks[0], networks[1]);
        Assert.NotEqual(networks[0], networks[2]);
    }

    [Theory]
    [InlineData(null, false, 3, 2)]
    [InlineData("another flow", true, 1, 1)]
    [Requirement("ABUSE-41")]
    public async Task Register_ReturnsTheAnswerOfTheFleet(string? firstFlow, bool isKnown, int live, int addresses)
    {
        (_redis.FirstFlow, _redis.IsKnown, _redis.LiveAllocations, _redis.ClientAddresses) = (firstFlow, isKnown, live, addresses);
        _redis.Grant = """{"client_id":"wwsf","pseudonym":"u-1","exp":7}""";

        var answer = await RegisterAsync();

        Assert.Equal((true, true), (answer.IsAvailable, answer.IsCounted));
        Assert.Equal((firstFlow is not null, isKnown), (answer.IsReplay, answer.IsKnown));
        Assert.Equal((live, addresses), (answer.LiveAllocations, answer.ClientAddresses));
        Assert.Equal(new Grant("wwsf", "u-1", null, 7), answer.Grant);
        Assert.False(answer.IsRevoked);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [Requirement("ABUSE-49")]
    public async Task Revocation_IsOverInTheSecondOfItsEnd(int seconds, bool isRevoked)
    {
        _redis.RevokedUntil = Now.AddSeconds(seconds);

        Assert.Equal(isRevoked, (await RegisterAsync()).IsRevoked);
        Assert.Equal(isRevoked, (await _cache.ReadAsync(new TokenName("k1", "a"))).IsRevoked);
    }

    [Fact]
    public async Task Read_CountsNothing()
    {
        var answer = await _cache.ReadAsync(new TokenName("k1", "a"));

        Assert.True(answer.IsAvailable);
        Assert.False(answer.IsCounted);
        Assert.Null(answer.Grant);
        Assert.Equal(["GET turn:grant:k1:a", "ZMSCORE turn:revoked key:k1 token:k1:a"], _redis.Commands);
        Assert.Equal(1, _redis.Executed);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("[]")]
    [Requirement("ABUSE-77")]
    public async Task MalformedGrant_IsNotAFailureOfRedis_AndWhatWasCountedIsTakenBack(string grant)
    {
        _redis.Grant = grant;
        for (var i = 0; i < 4; i++) Assert.False((await RegisterAsync()).IsAvailable);

        Assert.Equal(BreakerState.Closed, _cache.Breaker.State);
        Assert.Equal(0, _redis.Counted);
        Assert.Equal(4, _redis.Commands.Count(command => command.StartsWith("DISCOUNT turn:life:k1:", StringComparison.Ordinal)));

        // The answer to a probe closes the breaker.
        _cache.Breaker.Failed(isSlow: true);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await RegisterAsync();
        Assert.Equal(BreakerState.Closed, _cache.Breaker.State);
    }

    [Fact]
    [Requirement("ABUSE-77")]
    public async Task MalformedNumber_IsNotAFailureOfRedis()
    {
        _redis.Failures["COUNT"] = new FormatException("not a number");
        for (var i = 0; i < 4; i++) Assert.False((await RegisterAsync()).IsAvailable);

        Assert.Equal(BreakerState.Closed, _cache.Breaker.State);
    }

    [Theory]
    [InlineData("GET", 0, 1)]
    [InlineData("ZMSCORE", 0, 1)]
    [InlineData("FIRST", 0, 1)]
    [InlineData("COUNT", 0, 0)]
    [Requirement("ABUSE-75")]
    public async Task OneCommandThatFails_LeavesNothingCounted(string command, int counted, int discounts)
    {
        _redis.Failures[command] = ReadOnly();

        var answer = await RegisterAsync();

        Assert.Equal((false, false, false), (answer.IsAvailable, answer.IsCounted, answer.IsReplay));
        Assert.Equal(counted, _redis.Counted);
        Assert.Equal(discounts, _redis.Commands.Count(sent => sent.StartsWith("DISCOUNT", StringComparison.Ordinal)));
    }

    [Fact]
    [Requirement("ABUSE-74")]
    [Requirement("ABUSE-75")]
    public async Task ThreeErrors_OpenTheBreaker_OneProbeASecondLaterClosesIt_AndTheLogSaysBothOnce()
    {
        _redis.Failures["FIRST"] = ReadOnly();
        for (var i = 0; i < 2; i++) await RegisterAsync();
        Assert.Equal(BreakerState.Closed, _cache.Breaker.State);
        await RegisterAsync();
        Assert.Equal(BreakerState.Open, _cache.Breaker.State);
        _redis.Failures.Clear();
        var sent = _redis.Commands.Count;

        _clock.Advance(TimeSpan.FromMilliseconds(999));
        var answer = await RegisterAsync();
        Assert.False(answer.IsAvailable);
        Assert.Equal((Now, Now), (answer.AskedAt, answer.AnsweredAt));
        Assert.Equal(sent, _redis.Commands.Count);

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True((await RegisterAsync()).IsAvailable);
        Assert.Equal(BreakerState.Closed, _cache.Breaker.State);
        Assert.Equal(2, _log.Records.Count);
        Assert.Contains(
            "Redis does not answer (RedisServerException: READONLY); allocations continue with the caches of this node",
            _log.Records[0], StringComparison.Ordinal);
        Assert.Contains("Redis answers again", _log.Records[1], StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-74")]
    public async Task OneTimeout_OpensTheBreaker_AndTheWaitIsMeasured()
    {
        var answering = new TaskCompletionSource();
        _redis.Answering = answering.Task;
        var asked = Now;
        var waiting = RegisterAsync();
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        var answer = await waiting.WaitAsync(Limit, TestContext.Current.CancellationToken);

        Assert.False(answer.IsAvailable);
        Assert.Equal((asked, asked.AddMilliseconds(250)), (answer.AskedAt, answer.AnsweredAt));
        Assert.Equal(BreakerState.Open, _cache.Breaker.State);
        Assert.Equal(("error.type=TimeoutException", 0.25), Assert.Single(_measurements.Of("turn.cache.duration")));
        Assert.Equal(1, _redis.Counted);

        answering.SetResult();
        Assert.True(SpinWait.SpinUntil(() => _redis.Counted == 0, Limit));
    }

    [Fact]
    [Requirement("ABUSE-74")]
    public async Task AnswerInTime_HasTheTimesOfTheRoundTrip_AndIsMeasured()
    {
        var answering = new TaskCompletionSource();
        _redis.Answering = answering.Task;
        var asked = Now;
        var waiting = RegisterAsync();
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        answering.SetResult();
        var answer = await waiting.WaitAsync(Limit, TestContext.Current.CancellationToken);

        Assert.Equal((asked, asked.AddMilliseconds(100)), (answer.AskedAt, answer.AnsweredAt));
        Assert.Equal(("", 0.1), Assert.Single(_measurements.Of("turn.cache.duration")));
        Assert.Empty(_log.Records);
    }

    [Fact]
    public async Task ReadThatTimesOut_TakesNothingBack()
    {
        var answering = new TaskCompletionSource();
        _redis.Answering = answering.Task;
        var waiting = _cache.ReadAsync(new TokenName("k1", "a"));
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        Assert.False((await waiting.WaitAsync(Limit, TestContext.Current.CancellationToken)).IsAvailable);

        answering.SetResult();

        Assert.Equal(2, _redis.Commands.Count);
    }

    [Fact]
    public async Task Bug_IsNotTakenForAFailureOfRedis()
    {
        _redis.Failures["FIRST"] = new InvalidOperationException("a bug");

        await Assert.ThrowsAsync<InvalidOperationException>(RegisterAsync);
        Assert.Empty(_log.Records);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void Withdraw_DecrementsWhatWasCounted_AndSurvivesAFailure()
    {
        var token = new TokenName("k1", "a");
        _cache.Withdraw(token, new TokenAnswer(Now, Now));
        Assert.Empty(_redis.Commands);

        _redis.Failures["DISCOUNT"] = new RedisException("gone");
        _cache.Withdraw(token, new TokenAnswer(Now, Now) { IsCounted = true });
        Assert.Equal(["DISCOUNT turn:life:k1:a"], _redis.Commands);
        Assert.Equal(0, _redis.Counted);

        _redis.Failures.Clear();
        _cache.Withdraw(token, new TokenAnswer(Now, Now) { IsCounted = true });
        Assert.Equal(-1, _redis.Counted);
    }

    [Fact]
    public async Task WarmUp_AsksForATokenOfItsOwn_ForASecond_AndTakesItBack()
    {
        await _cache.WarmUpAsync();

        Assert.Equal(0, _redis.Counted);
        Assert.Equal(5, _redis.Commands.Count);
        Assert.All(_redis.Commands, command => Assert.Contains(":warm-up", command, StringComparison.Ordinal));
        Assert.EndsWith(" 1", _redis.Commands[2], StringComparison.Ordinal);
        Assert.EndsWith(" 1 4", _redis.Commands[3], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WarmUp_WithoutRedis_IsSilent()
    {
        _redis.Failures["FIRST"] = new RedisException("gone");

        await _cache.WarmUpAsync();

        Assert.Equal(0, _redis.Counted);
        Assert.Empty(_log.Records);
    }

#pragma warning disable CS0618 // The library reads the kind from the text.
    private static RedisServerException ReadOnly() => new("READONLY key:secret");
#pragma warning restore CS0618

    private Task<TokenAnswer> RegisterAsync()
    {
        var (pending, token) = NewPending();
        return _cache.RegisterAsync(token, pending);
    }

    private (PendingAllocation Pending, TokenName Token) NewPending()
    {
        _engine.NewClient(_engine.NewToken().Native).TryAllocate();
        var pending = _engine.Waiting![^1];
        return (pending, pending.Proof.Credential.Token!);
    }
}
