using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Telemetry;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>Each decision about an Allocate: its error, the reason in its span, its lookups, and what it leaves taken.</summary>
public sealed class AdmissionDecisionTests : IDisposable
{
    private const string Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private readonly EngineFixture _engine = new() { Waiting = [] };
    private readonly FakeRedis _redis = new();
    private readonly FakeTimeProvider _clock;
    private readonly ActivityListener _listener;
    private readonly List<Activity> _spans = [];

    public AdmissionDecisionTests()
    {
        _clock = new FakeTimeProvider(_engine.Time.Utc);
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "WebRtcIms.Turn" or "WebRtcIms.Redis",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (_spans) _spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-57")]
    public async Task Allowed_HoldsOnePlaceUntilItsEnd(bool withRedis)
    {
        var node = NewNode(withRedis: withRedis);
        var admitted = await node.Admission.AdmitAsync(NewPending());

        Assert.Equal(StunError.None, admitted.Error);
        Assert.Null(admitted.Activity!.GetTagItem("error.type"));
        Assert.Equal((1, withRedis ? 1 : 0), (node.Quotas.Total, _redis.Counted));
        admitted.Lease!.Dispose();
        admitted.Lease.Dispose();
        Assert.Equal((0, 0), (node.Quotas.Total, _redis.Counted));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-41")]
    public async Task RequestFromAnotherFlow_IsAReplayOnThisNode_WithAndWithoutRedis(bool withRedis)
    {
        var node = NewNode(withRedis: withRedis);
        using var measurements = new Measurements(node.Meters);
        var pending = NewPending();
        await node.Admission.AdmitAsync(pending);
        await AssertRefusedAsync(node, pending with { FiveTuple = _engine.NewFlow() }, StunError.Unauthenticated, "replay", live: 1);

        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=NodeReplay result=hit"));
        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=NodeReplay result=miss"));
        Assert.Equal(withRedis ? 1 : 0, _redis.Counted);
    }

    [Fact]
    [Requirement("ABUSE-41")]
    public async Task RequestThatAnotherNodeHasAccepted_IsAReplay_AndCountsNothing()
    {
        var node = NewNode();
        using var measurements = new Measurements(node.Meters);
        _redis.FirstFlow = "another";

        await AssertRefusedAsync(node, NewPending(), StunError.Unauthenticated, "replay");

        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=FleetReplay result=hit"));
        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=NodeReplay result=miss"));
        Assert.DoesNotContain(
            measurements.Of("turn.cache.lookups"), lookup => lookup.Tags.Contains("Revocation", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("redis")]
    [InlineData("node")]
    [InlineData("client")]
    [Requirement("ABUSE-49")]
    public async Task RevokedToken_IsRefused_AndCountsNothing(string by)
    {
        var node = NewNode();
        using var measurements = new Measurements(node.Meters);
        var pending = NewPending();
        _redis.Grant = """{"client_id":"wwsf"}""";
        if (by == "redis") _redis.RevokedUntil = _clock.GetUtcNow().AddSeconds(1);
        if (by == "node") node.Revocations.Add(TurnRevocations.OfKey("k1"), _clock.GetUtcNow().AddSeconds(1));
        if (by == "client") node.Revocations.Add(TurnRevocations.OfClient("wwsf"), _clock.GetUtcNow() + TokenLimits.LongestLifetime);

        await AssertRefusedAsync(node, pending, StunError.Unauthenticated, "revoked");

        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=Revocation result=hit"));
        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=Grant result=hit"));
    }

    [Fact]
    public async Task Lookups_AreCountedOnlyWhenRedisAnswers()
    {
        var node = NewNode();
        using var measurements = new Measurements(node.Meters);
        _redis.IsKnown = true;
        await node.Admission.AdmitAsync(NewPending());
        Assert.Equal(
            ["cache=NodeReplay result=miss", "cache=FleetReplay result=miss", "cache=Lifetime result=hit", "cache=Grant result=miss",
                "cache=Revocation result=miss"],
            measurements.Of("turn.cache.lookups").Select(lookup => lookup.Tags));

        node.Tokens.Breaker.Failed(isSlow: true);
        await node.Admission.AdmitAsync(NewPending());
        Assert.Equal(
            ["cache=NodeReplay result=miss", "cache=Revocation result=miss"],
            measurements.Of("turn.cache.lookups").Skip(5).Select(lookup => lookup.Tags));
    }

    [Theory]
    [InlineData(CacheUnavailablePolicy.AllowLocal, true, StunError.None)]
    [InlineData(CacheUnavailablePolicy.Deny, true, StunError.InsufficientCapacity)]
    [InlineData(CacheUnavailablePolicy.Deny, false, StunError.None)]
    [Requirement("ABUSE-73")]
    internal async Task RedisThatDoesNotAnswer_IsDecidedByThePolicy(CacheUnavailablePolicy policy, bool isAway, StunError expected)
    {
        var node = NewNode(policy: policy);
        if (isAway) node.Tokens.Breaker.Failed(isSlow: true);

        if (expected == StunError.None)
        {
            var admitted = await node.Admission.AdmitAsync(NewPending());
            Assert.Equal(StunError.None, admitted.Error);
            admitted.Lease!.Dispose();
            Assert.DoesNotContain(_redis.Commands, command => isAway && command.Length > 0);
            return;
        }

        await AssertRefusedAsync(node, NewPending(), expected, "caches_unavailable");
    }

    [Theory]
    [InlineData(2, 1, null)]
    [InlineData(3, 1, nameof(Quota.TokenInFleet))]
    [InlineData(1, 3, null)]
    [InlineData(1, 4, nameof(Quota.AddressesOfToken))]
    [InlineData(3, 4, nameof(Quota.TokenInFleet))]
    [Requirement("ABUSE-41")]
    [Requirement("ABUSE-57")]
    public async Task FleetQuota_IsReachedAfterItsLastPlace(int live, int addresses, string? reached)
    {
        var node = NewNode(new QuotaSettings { PerToken = 2, AddressesPerToken = 3 });
        (_redis.LiveAllocations, _redis.ClientAddresses) = (live, addresses);

        if (reached is null) Assert.Equal(StunError.None, (await node.Admission.AdmitAsync(NewPending())).Error);
        else await AssertRefusedAsync(node, NewPending(), StunError.AllocationQuotaReached, "quota");

        foreach (var quota in new[] { Quota.TokenInFleet, Quota.AddressesOfToken })
            Assert.Equal(quota.ToString() == reached ? 1 : 0, node.Quotas.Refusals(quota));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-57")]
    public async Task QuotaOfThisNode_RefusesWithItsReason_AndTakesNothing(bool hasToken)
    {
        var node = NewNode(new QuotaSettings { Total = 1 });
        await node.Admission.AdmitAsync(NewPending());

        await AssertRefusedAsync(node, NewPending(hasToken), StunError.AllocationQuotaReached, "quota", live: 1);

        Assert.Equal(1, _redis.Counted);
        Assert.Equal(1, node.Quotas.Refusals(Quota.Total));
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public async Task QuotaOfAUser_RefusesTheNextToken_AndIsFreeAfterTheEnd()
    {
        var node = NewNode(new QuotaSettings { PerUser = 1 });
        _redis.Grant = """{"client_id":"wwsf","pseudonym":"u-1"}""";
        var admitted = await node.Admission.AdmitAsync(NewPending());
        Assert.Equal(new Grant("wwsf", "u-1", null, 0), admitted.Grant);

        await AssertRefusedAsync(node, NewPending(), StunError.AllocationQuotaReached, "quota", live: 1);
        Assert.Equal(1, _redis.Counted);
        admitted.Lease!.Dispose();

        Assert.Equal(StunError.None, (await node.Admission.AdmitAsync(NewPending())).Error);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public async Task UserOfTheConfiguration_NeedsNoCache()
    {
        var node = NewNode();
        var pending = NewPending(hasToken: false);
        var admitted = await node.Admission.AdmitAsync(pending);
        Assert.Equal(StunError.None, admitted.Error);

        // Its request is not a replay from another flow: the nonce is bound to the flow.
        Assert.Equal(StunError.None, (await node.Admission.AdmitAsync(pending with { FiveTuple = _engine.NewFlow() })).Error);
        Assert.Empty(_redis.Commands);
        Assert.Equal(2, node.Quotas.Total);
    }

    [Theory]
    [InlineData("192.0.2.7", StunError.TryAlternate)]
    [InlineData(null, StunError.InsufficientCapacity)]
    [Requirement("ABUSE-79")]
    [Requirement("TURN-A35")]
    public async Task DrainingNode_SendsTheClientElsewhere_AndAsksNothing(string? alternate, StunError expected)
    {
        var node = NewNode(alternate: alternate);
        node.Drain.Begin();

        var refused = await AssertRefusedAsync(node, NewPending(), expected, "draining");

        Assert.Equal(alternate is null ? null : "192.0.2.7:3478", refused.AlternateServer?.ToString());
        Assert.Empty(_redis.Commands);
        node.Drain.TryResume();
        Assert.Equal(StunError.None, (await node.Admission.AdmitAsync(NewPending())).Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Span_IsOfTheTraceOfTheGrant_AndHasTheRoundTripAsItsChild(bool isAway)
    {
        var node = NewNode();
        _redis.Grant = $$"""{"client_id":"wwsf","traceparent":"{{Traceparent}}"}""";
        if (isAway) node.Tokens.Breaker.Failed(isSlow: true);

        var began = _clock.GetUtcNow();
        var answering = new TaskCompletionSource();
        _redis.Answering = answering.Task;
        var admitting = node.Admission.AdmitAsync(NewPending()).AsTask();
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        answering.SetResult();
        var span = (await admitting.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken)).Activity!;

        Assert.Equal(isAway, span.TraceId.ToHexString() != "0af7651916cd43dd8448eb211c80319c");
        Assert.Equal(began, span.StartTimeUtc);
        var child = Assert.Single(Children(span));
        Assert.Equal(("BATCH", began.UtcDateTime), (child.DisplayName, child.StartTimeUtc));
        Assert.Equal(isAway ? TimeSpan.FromTicks(1) : TimeSpan.FromMilliseconds(100), child.Duration);
        Assert.Equal(isAway ? ActivityStatusCode.Error : ActivityStatusCode.Unset, child.Status);
        Assert.Equal(isAway ? "Redis did not answer in time" : null, child.StatusDescription);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task Renewal_WithoutRedis_GoesOn_AndWithoutAnAnswerIsDecidedByThisNode()
    {
        var credential = NewPending().Proof.Credential;
        Assert.Equal(default, await NewNode(withRedis: false).Admission.CheckRenewalAsync(credential, null));

        var node = NewNode();
        node.Tokens.Breaker.Failed(isSlow: true);
        Assert.Equal(StunError.None, (await node.Admission.CheckRenewalAsync(credential, null)).Error);
        node.Revocations.Add(TurnRevocations.OfKey("k1"), _clock.GetUtcNow().AddSeconds(1));
        Assert.Equal(StunError.Unauthenticated, (await node.Admission.CheckRenewalAsync(credential, null)).Error);
    }

    [Theory]
    [InlineData("u-1", "u-1", true)]
    [InlineData("u-1", "u-2", false)]
    [InlineData("u-1", null, true)]
    [InlineData(null, "u-2", true)]
    [Requirement("SEC-15")]
    [Requirement("RFC7635-9")]
    public async Task Renewal_IsForTheSessionOfTheAllocation_WhereBothAreKnown(string? owner, string? session, bool mayRenew)
    {
        var node = NewNode();
        _redis.Grant = new Grant("re-registered", session, null, 0).ToJson();

        var result = await node.Admission.CheckRenewalAsync(NewPending().Proof.Credential, new Grant("wwsf", owner, null, 0));

        Assert.Equal(mayRenew ? StunError.None : StunError.WrongCredentials, result.Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("SEC-15")]
    public async Task Renewal_WithoutAGrantOfItsOwn_IsRefusedWhenTheSessionOfTheAllocationIsRevoked(bool isAway)
    {
        var node = NewNode();
        if (isAway) node.Tokens.Breaker.Failed(isSlow: true);
        node.Revocations.Add(TurnRevocations.OfSession("u-1"), _clock.GetUtcNow().AddMinutes(1));

        var result = await node.Admission.CheckRenewalAsync(NewPending().Proof.Credential, new Grant("wwsf", "u-1", null, 0));

        Assert.Equal(StunError.Unauthenticated, result.Error);
    }

    [Theory]
    [InlineData(null, 500, 375_000)]
    [InlineData("""{"client_id":"wwsf"}""", null, null)]
    [InlineData("""{"client_id":"wwsf","traffic":{"packets_per_second":7,"bytes_per_second":800}}""", 7, 800)]
    [InlineData("""{"client_id":"wwsf","traffic":{"bytes_per_second":800}}""", 0, 800)]
    [Requirement("SEC-12")]
    public async Task Traffic_IsThatOfTheGrant_AndWithoutAGrantThatOfAGuest(string? grant, int? packets, int? bytes)
    {
        _redis.Grant = grant;
        var admitted = await NewNode().Admission.AdmitAsync(NewPending());

        Assert.Equal(packets is null ? null : new TrafficLimits(packets.Value, bytes!.Value), admitted.Traffic);
    }

    [Fact]
    [Requirement("SEC-12")]
    public async Task Traffic_OfATokenWithoutRedis_IsThatOfAGuest_AndOfAPasswordThatOfTheServer()
    {
        var node = NewNode(withRedis: false);

        Assert.Equal(new TrafficLimits(500, 375_000), (await node.Admission.AdmitAsync(NewPending())).Traffic);
        Assert.Null((await node.Admission.AdmitAsync(NewPending(hasToken: false))).Traffic);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [Requirement("SEC-12")]
    [Requirement("TURN-B15")]
    public async Task QuotaOfAUser_CountsPasswordsAndTokensWithoutAGrant(bool withRedis, bool hasToken)
    {
        var node = NewNode(new QuotaSettings { PerUser = 1 }, withRedis);
        var pending = NewPending(hasToken);
        Assert.Equal(StunError.None, (await node.Admission.AdmitAsync(pending)).Error);

        await AssertRefusedAsync(
            node, pending with { TransactionId = new TransactionId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) },
            StunError.AllocationQuotaReached, "quota", live: 1);
        Assert.Equal(1, node.Quotas.Refusals(Quota.User));
    }

    [Fact]
    [Requirement("SEC-12")]
    public async Task AddressesOfAToken_AreBoundedWithoutRedis()
    {
        var node = NewNode(new QuotaSettings { AddressesPerToken = 1 }, withRedis: false);
        var pending = NewPending();
        Assert.Equal(StunError.None, (await node.Admission.AdmitAsync(pending)).Error);
        var flow = pending.FiveTuple with { Client = new TransportAddress(InternetAddress.Parse("198.51.100.8"), 40_000) };

        await AssertRefusedAsync(
            node, pending with { FiveTuple = flow, TransactionId = new TransactionId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) },
            StunError.AllocationQuotaReached, "quota", live: 1);
        Assert.Equal(1, node.Quotas.Refusals(Quota.AddressesOfToken));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task Renewal_WithATokenOfARevokedClient_DoesNotGoOn()
    {
        var node = NewNode();
        var credential = NewPending().Proof.Credential;
        _redis.Grant = """{"client_id":"wwsf"}""";
        node.Revocations.Add(TurnRevocations.OfClient("wwsf"), _clock.GetUtcNow() + TokenLimits.LongestLifetime);

        var (error, answer) = await node.Admission.CheckRenewalAsync(credential, null);

        Assert.Equal(StunError.Unauthenticated, error);
        Assert.Equal("wwsf", answer!.Grant!.ClientId);
    }

    private TestNode NewNode(
        QuotaSettings? quotas = null, bool withRedis = true, CacheUnavailablePolicy policy = CacheUnavailablePolicy.AllowLocal,
        string? alternate = null) =>
        new(_engine, withRedis ? _redis.Connection : null, quotas, policy, _clock, alternate);

    private PendingAllocation NewPending(bool hasToken = true)
    {
        _engine.NewClient(hasToken ? _engine.NewToken().Native : null).TryAllocate();
        return _engine.Waiting![^1];
    }

    private async Task<AdmissionResult> AssertRefusedAsync(
        TestNode node, PendingAllocation pending, StunError error, string reason, int live = 0)
    {
        var refused = await node.Admission.AdmitAsync(pending);
        Assert.Equal(error, refused.Error);
        Assert.Equal(reason, refused.Activity!.GetTagItem("error.type"));
        Assert.Null(refused.Lease);
        Assert.Equal(live, node.Quotas.Total);
        if (live == 0) Assert.Equal(0, _redis.Counted);
        return refused;
    }

    private List<Activity> Children(Activity parent)
    {
        lock (_spans) return [.. _spans.Where(span => span.ParentSpanId == parent.SpanId && span.TraceId == parent.TraceId)];
    }
}
