using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Admission;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>The feed of revocations, with a Redis that fails and returns, on a clock that the test moves.</summary>
public sealed class RevocationFeedTests : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _clock = new(Now);
    private readonly FakeRevocationStore _redis = new();
    private readonly LogRecorder _log = new();
    private readonly List<RevocationFeed> _feeds = [];
    private int _ended;

    public async ValueTask DisposeAsync()
    {
        foreach (var feed in _feeds)
        {
            await feed.StopAsync(CancellationToken.None);
            feed.Dispose();
        }

        _log.Dispose();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task WithoutRedis_RevocationHasEffectHere_AndEndsAllocationsOnce()
    {
        var feed = NewFeed(withRedis: false);
        await feed.StartAsync(CancellationToken.None);
        await feed.ExecuteTask!.WaitAsync(Limit, TestContext.Current.CancellationToken);

        Assert.True(await feed.RevokeAsync("all", Now.AddHours(1)));
        Assert.True(await feed.RevokeAsync("all", Now.AddHours(1)));

        Assert.Equal(1, _ended);
        Assert.StartsWith(
            $"Warning {typeof(RevocationFeed).FullName} Revoked until 2026-01-01 01:00:00Z: all; 3 allocations ended",
            Assert.Single(_log.Records), StringComparison.Ordinal);
        Assert.True(await feed.RevokeAsync("all", Now.AddHours(2)));
        Assert.Equal(2, _ended);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task Revocation_IsWrittenAndPublished_AndHasEffectHere()
    {
        var feed = NewFeed();

        Assert.True(await feed.RevokeAsync("key:k1", Now.AddHours(1)));

        Assert.Equal(Now.AddHours(1).ToUnixTimeSeconds(), _redis.Revoked["key:k1"]);
        Assert.Equal(TurnRevocations.Message("key:k1", Now.AddHours(1)), Assert.Single(_redis.Published));
        Assert.Equal(1, _ended);
    }

    [Theory]
    [InlineData(nameof(RedisException))]
    [InlineData(nameof(TimeoutException))]
    [Requirement("ABUSE-49")]
    [Requirement("ABUSE-75")]
    public async Task RedisThatDoesNotAnswer_LeavesTheRevocationToThisNode_WhichLogsIt(string failure)
    {
        var feed = NewFeed();
        _redis.Failure = failure == nameof(RedisException) ? new RedisException("gone") : new TimeoutException("late");

        Assert.False(await feed.RevokeAsync("key:k1", Now.AddHours(1)));

        Assert.Equal(1, _ended);
        Assert.Contains(_log.Records, record =>
            record.StartsWith("Error", StringComparison.Ordinal)
                && record.Contains($"({failure}): the revocation is only known to this node", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task Start_ReadsTheRevocationsThatAreLive_ThenOnceEveryFiveSeconds()
    {
        _redis.Revoked["key:over"] = Now.ToUnixTimeSeconds();
        _redis.Revoked["key:k1"] = Now.AddSeconds(1).ToUnixTimeSeconds();
        await StartAsync();
        Assert.Equal(Now.ToUnixTimeSeconds(), _redis.ReadFrom);
        AssertEnds(1);

        _redis.Revoked["key:k2"] = Now.AddHours(1).ToUnixTimeSeconds();
        _clock.Advance(TimeSpan.FromSeconds(4.999));
        Assert.Equal(1, _redis.Reads);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        await AssertReadsAsync(2);

        Assert.Equal(Now.AddSeconds(5).ToUnixTimeSeconds(), _redis.ReadFrom);
        AssertEnds(2);
    }

    [Theory]
    [InlineData(nameof(RedisException))]
    [InlineData(nameof(TimeoutException))]
    [Requirement("ABUSE-49")]
    [Requirement("ABUSE-75")]
    public async Task FeedThatWasLost_ReadsTheMissedRevocationsWhenRedisReturns(string failure)
    {
        _redis.Failure = failure == nameof(RedisException) ? new RedisException("gone") : new TimeoutException("late");
        var feed = await StartAsync();
        _clock.Advance(TimeSpan.FromSeconds(5));
        await AssertReadsAsync(2);
        Assert.Equal(0, _ended);

        _redis.Revoked["key:k1"] = Now.AddHours(1).ToUnixTimeSeconds();
        _redis.Failure = null;
        _clock.Advance(TimeSpan.FromSeconds(5));
        await AssertReadsAsync(3);

        AssertEnds(1);
        Assert.False(feed.ExecuteTask!.IsCompleted);
    }

    [Fact]
    [Requirement("ABUSE-77")]
    public async Task ScoreThatIsNotATime_StopsOnlyThatRead()
    {
        _redis.Revoked["key:k1"] = 1e15;
        var feed = await StartAsync();
        _redis.Revoked["key:k1"] = Now.AddHours(1).ToUnixTimeSeconds();
        _clock.Advance(TimeSpan.FromSeconds(5));
        await AssertReadsAsync(2);

        AssertEnds(1);
        Assert.False(feed.ExecuteTask!.IsCompleted);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    [Requirement("ABUSE-77")]
    public async Task PublishedRevocation_HasEffectAtOnce_AndGarbageHasNone()
    {
        await StartAsync();
        _redis.Publish("soon key:k1");
        Assert.Equal(0, _ended);

        _redis.Publish(TurnRevocations.Message("key:k1", Now.AddHours(1)));
        _redis.Publish(TurnRevocations.Message("key:k1", Now.AddHours(1)));

        Assert.Equal(1, _ended);
        Assert.Equal(TurnRevocations.Channel, _redis.Subscribed);
    }

    [Fact]
    public async Task Stop_EndsTheFeedWithoutAnError()
    {
        var feed = await StartAsync();

        await feed.StopAsync(TestContext.Current.CancellationToken);

        Assert.True(feed.ExecuteTask!.IsCompletedSuccessfully);
    }

    private RevocationFeed NewFeed(bool withRedis = true)
    {
        var logger = new LoggerFactory([_log]).CreateLogger<RevocationFeed>();
        _feeds.Add(new RevocationFeed(new Revocations(_clock), CountEnded, _clock, logger, withRedis ? _redis.Connection : null));
        return _feeds[^1];
    }

    private int CountEnded()
    {
        _ended++;
        return 3;
    }

    private async Task<RevocationFeed> StartAsync()
    {
        var feed = NewFeed();
        await feed.StartAsync(TestContext.Current.CancellationToken);
        await AssertReadsAsync(1);
        return feed;
    }

    // The feed applies the revocations of a read after it.
    private void AssertEnds(int times)
    {
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _ended) >= times, Limit));
        Assert.Equal(times, _ended);
    }

    private async Task AssertReadsAsync(int reads)
    {
        await Eventually.IsTrueAsync(() => _redis.Reads >= reads);
        Assert.Equal(reads, _redis.Reads);
    }

    /// <summary>The sorted set and the channel of the revocations.</summary>
    private sealed class FakeRevocationStore
    {
        private Action<RedisChannel, RedisValue>? _subscriber;
        private int _reads;

        public FakeRevocationStore()
        {
            var batch = Stub.Create<IBatch>((method, arguments) => method switch
            {
                nameof(IBatch.Execute) => null,
                nameof(IBatch.SortedSetAddAsync) => Failing(() => Revoked.TryAdd(arguments[1]!.ToString()!, (double)arguments[2]!)),
                nameof(IBatch.SortedSetRemoveRangeByScoreAsync) => Failing(() => 0L),
                nameof(IBatch.KeyExpireAsync) => Failing(() => true),
                _ => throw new NotSupportedException(method),
            });
            var database = Stub.Create<IDatabase>((method, arguments) => method switch
            {
                nameof(IDatabase.CreateBatch) => batch,
                nameof(IDatabase.PublishAsync) => Failing(() => Add(arguments[1]!.ToString()!)),
                nameof(IDatabase.SortedSetRangeByScoreWithScoresAsync) => ReadAsync((double)arguments[1]!),
                _ => throw new NotSupportedException(method),
            });
            var subscriber = Stub.Create<ISubscriber>((method, arguments) =>
            {
                Assert.Equal(nameof(ISubscriber.Subscribe), method);
                Subscribed = (RedisChannel)arguments[0]!;
                _subscriber = (Action<RedisChannel, RedisValue>)arguments[1]!;
                return null;
            });
            Connection = Stub.Create<IConnectionMultiplexer>((method, _) => method switch
            {
                nameof(IConnectionMultiplexer.GetDatabase) => database,
                nameof(IConnectionMultiplexer.GetSubscriber) => subscriber,
                _ => throw new NotSupportedException(method),
            });
        }

        public IConnectionMultiplexer Connection { get; }

        /// <summary>The names with the Unix times at which they end.</summary>
        public Dictionary<string, double> Revoked { get; } = [];

        public List<string> Published { get; } = [];

        public RedisChannel Subscribed { get; private set; }

        /// <summary>The failure of every command; null when Redis answers.</summary>
        public Exception? Failure { get; set; }

        /// <summary>Reads that have ended.</summary>
        public int Reads => Volatile.Read(ref _reads);

        /// <summary>The lowest score of the last read.</summary>
        public double ReadFrom { get; private set; }

        public void Publish(string message) => _subscriber!(TurnRevocations.Channel, message);

        private long Add(string message)
        {
            Published.Add(message);
            return 1;
        }

        private Task<SortedSetEntry[]> ReadAsync(double from)
        {
            ReadFrom = from;
            var entries = Revoked.Where(entry => entry.Value >= from).Select(entry => new SortedSetEntry(entry.Key, entry.Value)).ToArray();
            Interlocked.Increment(ref _reads);
            return Failing(() => entries);
        }

        private Task<T> Failing<T>(Func<T> answer) => Failure is null ? Task.FromResult(answer()) : Task.FromException<T>(Failure);
    }
}
