using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>The boundaries of the replay cache, the revocations, the quotas and the circuit breaker.</summary>
public sealed class AdmissionBoundaryTests
{
    private static readonly Grant Granted = new("wwsf", "9b0c6f", Traceparent: null, Exp: 0);

    private static readonly InternetAddress Address = InternetAddress.Parse("192.0.2.1");

    private readonly EngineFixture _engine = new() { Waiting = [] };
    private readonly FakeTimeProvider _clock;

    public AdmissionBoundaryTests() => _clock = new FakeTimeProvider(_engine.Time.Utc);

    private DateTimeOffset Now => _clock.GetUtcNow();

    [Theory]
    [InlineData(0)]
    [InlineData(29.999)]
    [InlineData(30)]
    [InlineData(599.999)]
    [Requirement("ABUSE-41")]
    public void Request_IsReplayedFromAnotherFlow_UntilItsTokenEnds(double seconds)
    {
        var cache = new ReplayCache();
        var (first, token) = NewPending();
        Assert.True(cache.IsFirst(token, first, Now));

        Assert.False(cache.IsFirst(token, first with { FiveTuple = _engine.NewFlow() }, Now.AddSeconds(seconds)));
        Assert.True(cache.IsFirst(token, first, Now.AddSeconds(seconds)));
    }

    [Fact]
    [Requirement("ABUSE-41")]
    public void Request_IsForgottenWhenItsTokenEnds_AlsoBetweenTwoPurges()
    {
        var cache = new ReplayCache();
        var (first, token) = NewPending();
        var ends = Now.AddSeconds(first.Proof.Credential.RemainingSeconds(Now));
        cache.IsFirst(token, first, Now);
        var (other, otherToken) = NewPending();
        cache.IsFirst(otherToken, other, ends.AddSeconds(-1));

        Assert.True(cache.IsFirst(token, first with { FiveTuple = _engine.NewFlow() }, ends));
        Assert.False(cache.IsFirst(token, first, ends));
    }

    [Fact]
    [Requirement("ABUSE-41")]
    public void SameTransactionOfAnotherToken_AndAnotherTransaction_AreNotReplays()
    {
        var cache = new ReplayCache();
        var (first, token) = NewPending();
        cache.IsFirst(token, first, Now);
        var elsewhere = first with { FiveTuple = _engine.NewFlow() };

        Assert.True(cache.IsFirst(token with { TokenId = "another" }, elsewhere, Now));
        Assert.True(cache.IsFirst(token, NewPending().Pending with { FiveTuple = elsewhere.FiveTuple }, Now));
        Assert.False(cache.IsFirst(token, elsewhere, Now));
    }

    [Fact]
    [Requirement("ABUSE-41")]
    public void EndedRequests_AreEvictedOnceInThirtySeconds()
    {
        var cache = new ReplayCache();
        var (shorter, longer) = (Remember(cache, 10), Remember(cache, 30));
        var (next, token) = NewPending();

        cache.IsFirst(token, next, Now.AddSeconds(29.999));
        Assert.True(IsReachable(shorter) && IsReachable(longer));
        cache.IsFirst(token, next, Now.AddSeconds(30));

        Assert.False(IsReachable(shorter) || IsReachable(longer));
        Assert.False(cache.IsFirst(token, next with { FiveTuple = _engine.NewFlow() }, Now.AddSeconds(31)));
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void EndedAllocation_LeavesNoEntryInTheQuotas_AfterItsToken()
    {
        var quotas = new AllocationQuotas(new QuotaSettings());
        var token = TakeAndGiveBack(quotas);
        Assert.Equal(0, quotas.Total);

        // The addresses of a token count until it ends.
        var later = Claims.Of(Address, new TokenName("k1", "b")) with { Now = Now.AddSeconds(600), TokenEnds = Now.AddSeconds(1200) };
        quotas.TryTake(later)!.Dispose();
        Assert.False(IsReachable(token));
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [Requirement("ABUSE-49")]
    public void RevocationThatHasEnded_IsNotNew(int seconds, bool isNew)
    {
        var revocations = new Revocations(_clock);

        Assert.Equal(isNew, revocations.Add("key:k1", Now.AddSeconds(seconds)));
        Assert.Equal(isNew, revocations.Cover(NewPending().Pending.Proof.Credential, Now));
    }

    /// <summary>The time of a fault would be that of a billion steps. Without one it is some milliseconds.</summary>
    [Fact]
    [Requirement("SEC-41")]
    public void PollOfManyKnownRevocations_TakesAConstantTimeForEach()
    {
        var revocations = new Revocations(_clock);
        var names = Enumerable.Range(0, 40_000).Select(number => $"session:{number}").ToList();
        var began = Stopwatch.GetTimestamp();

        Assert.All(names, name => Assert.True(revocations.Add(name, Now.AddMinutes(11))));
        Assert.All(names, name => Assert.False(revocations.Add(name, Now.AddMinutes(11))));

        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public void NewRevocation_KeepsTheOnesThatAreLive()
    {
        var revocations = new Revocations(_clock);
        revocations.Add("key:k1", Now.AddSeconds(10));
        _clock.Advance(TimeSpan.FromSeconds(9));
        Assert.True(revocations.Add("key:k2", Now.AddSeconds(10)));

        Assert.True(revocations.Cover(NewPending().Pending.Proof.Credential, Now));
        Assert.False(revocations.Add("key:k1", Now.AddSeconds(1)));
    }

    [Theory]
    [InlineData("all", 0, true)]
    [InlineData("all", -1, true)]
    [InlineData("all", 1, false)]
    [InlineData("client:wwsf", 0, true)]
    [InlineData("client:wwsf", 1, false)]
    [InlineData("client:other", 0, false)]
    [InlineData("session:9b0c6f", 0, true)]
    [InlineData("session:9b0c6f", 1, true)]
    [InlineData("session:other", 0, false)]
    [InlineData("key:k1", 1, true)]
    [InlineData("key:k2", 0, false)]
    [Requirement("ABUSE-49")]
    public void Revocation_CoversWhatWasIssuedBefore(string name, int issuedAfter, bool isCovered)
    {
        var revocations = new Revocations(_clock);
        var credential = NewPending().Pending.Proof.Credential;
        revocations.Add(name, credential.IssuedAt + TokenLimits.LongestLifetime - TimeSpan.FromSeconds(issuedAfter));

        Assert.Equal(isCovered, revocations.Cover(credential, Now, Granted));
        Assert.Equal(isCovered && name.Split(':')[0] is not ("client" or "session"), revocations.Cover(credential, Now));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public void RevocationOfAll_EndsAfterTheLongestLifetime_AndUsersOfTheConfigurationAreNeverRevoked()
    {
        var revocations = new Revocations(_clock);
        var credential = NewPending().Pending.Proof.Credential;
        var until = Now + TokenLimits.LongestLifetime;
        revocations.Add(TurnRevocations.All, until);

        Assert.True(revocations.Cover(credential, until.AddTicks(-1)));
        Assert.False(revocations.Cover(credential, until));
        Assert.False(revocations.Cover(Credential.FromStaticUser("alice", "secret", "example.org"), Now, Granted));
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void Refusal_IsCountedUnderItsQuota_AndOnlyThere()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { Total = 3, PerClientAddress = 2, PerToken = 1, PerUser = 1 });
        var (token, other) = (new TokenName("k1", "a"), new TokenName("k1", "b"));
        var first = quotas.TryTake(Claims.Of(Address, token, "user"))!;
        Assert.Null(quotas.TryTake(Claims.Of(Address, token)));
        Assert.Null(quotas.TryTake(Claims.Of(Address, other, "user")));
        var second = quotas.TryTake(Claims.Of(Address, other))!;
        Assert.Null(quotas.TryTake(Claims.Of(Address)));
        var third = quotas.TryTake(Claims.Of(InternetAddress.Parse("192.0.2.2")))!;
        Assert.Null(quotas.TryTake(Claims.Of(InternetAddress.Parse("192.0.2.3"))));

        Assert.Equal([1, 1, 1, 1, 0, 0, 0, 0], Enum.GetValues<Quota>().Select(quotas.Refusals));
        Assert.Equal(3, quotas.Total);
        foreach (var lease in new[] { first, second, third }) lease.Dispose();
        Assert.Equal(0, quotas.Total);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void Use_IsTheHighestShareOfEachQuota_AndZeroAfterTheEnd()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { Total = 10, PerClientAddress = 4, PerToken = 8, PerUser = 2 });
        var lease = quotas.TryTake(Claims.Of(Address, new TokenName("k1", "a"), "user"))!;
        using (quotas.TryTake(Claims.Of(Address, new TokenName("k1", "a"), "user"))!)
        using (quotas.TryTake(Claims.Of(InternetAddress.Parse("192.0.2.2"), new TokenName("k1", "b"), "another"))!)
        {
            Assert.Equal(
                [(Quota.Total, 0.3), (Quota.ClientAddress, 0.5), (Quota.Token, 0.25), (Quota.User, 1)], quotas.Use());
        }

        lease.Dispose();
        lease.Dispose();
        Assert.All(quotas.Use(), quota => Assert.Equal(0, quota.Use));
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void EndedAllocation_RunsItsActionAfterItsPlaceIsFree()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { Total = 1 });
        var lease = quotas.TryTake(Claims.Of(Address))!;
        AllocationQuotas.Lease? next = null;
        lease.OnReturned = () => next = quotas.TryTake(Claims.Of(Address));

        lease.Dispose();

        Assert.NotNull(next);
    }

    [Fact]
    public void ProbeThatNeverEnds_LetsAnotherProbeAfterASecond()
    {
        var breaker = new CircuitBreaker(_clock);
        breaker.Failed(isSlow: true);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(breaker.TryEnter());

        _clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(breaker.TryEnter());
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(breaker.TryEnter());
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
    }

    [Fact]
    public void Success_ForgetsEarlierErrors_AlsoAfterAPause()
    {
        var breaker = new CircuitBreaker(_clock);
        Assert.Equal(BreakerState.Closed, breaker.State);
        for (var i = 0; i < 3; i++) breaker.Failed(isSlow: false);
        Assert.Equal(BreakerState.Open, breaker.State);
        Assert.False(breaker.TryEnter());
        breaker.Succeeded();
        Assert.Equal(BreakerState.Closed, breaker.State);

        for (var i = 0; i < 2; i++) breaker.Failed(isSlow: false);
        Assert.Equal(BreakerState.Closed, breaker.State);
        Assert.True(breaker.TryEnter());
    }

    [Fact]
    public void Record_HasAnIdOfItsOwn_AndGivesItsPlaceBackOnce()
    {
        var quotas = new AllocationQuotas(new QuotaSettings());
        var record = new AllocationRecord(quotas.TryTake(Claims.Of(Address)), new TokenName("k1", "a"), null, Now);
        Assert.Matches("^[0-9a-f]{16}$", record.Id);
        Assert.NotEqual(record.Id, new AllocationRecord(null, null, null, Now).Id);
        Assert.Equal((new TokenName("k1", "a"), Now), (record.Token, record.Since));

        record.Dispose();
        record.Dispose();
        new AllocationRecord(null, null, null, Now).Dispose();

        Assert.Equal(0, quotas.Total);
    }

    // Locals of the test would keep the key.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference Remember(ReplayCache cache, uint lifetime)
    {
        var (pending, token) = NewPending(lifetime);
        var key = token with { };
        cache.IsFirst(key, pending, Now);
        return new WeakReference(key);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference TakeAndGiveBack(AllocationQuotas quotas)
    {
        var key = new TokenName("k1", "a");
        quotas.TryTake(Claims.Of(Address, key) with { Now = Now, TokenEnds = Now.AddSeconds(600) })!.Dispose();
        return new WeakReference(key);
    }

    private static bool IsReachable(WeakReference reference)
    {
        GC.Collect();
        return reference.IsAlive;
    }

    private (PendingAllocation Pending, TokenName Token) NewPending(uint lifetime = 600)
    {
        _engine.NewClient(_engine.NewToken(lifetime: lifetime).Native).TryAllocate();
        var pending = _engine.Waiting![^1];
        return (pending, pending.Proof.Credential.Token!);
    }
}
