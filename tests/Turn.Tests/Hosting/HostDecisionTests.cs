using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>The slow part of an Allocate and of a renewal: the decision, the relays, the answer, the spans and the measurements.</summary>
public sealed class HostDecisionTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly RecordedHost _host = new(withRedis: true);
    private readonly string _trace = ActivityTraceId.CreateRandom().ToHexString();
    private readonly List<Activity> _spans = [];
    private readonly ActivityListener _listener;

    public HostDecisionTests()
    {
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
        _host.Redis.Grant = GrantOf("wwsf", _trace);
    }

    public void Dispose()
    {
        _listener.Dispose();
        _host.Dispose();
    }

    [Theory]
    [InlineData("ipv4", "bind start send")]
    [InlineData("ipv6", "bind start send")]
    [InlineData("both", "bind start start send")]
    [Requirement("RFC8656-7.2")]
    public void Relays_ReceiveBeforeTheClientIsAnswered(string families, string events)
    {
        var ask = families switch
        {
            "ipv4" => StunRequest.UdpTransport,
            "ipv6" => StunRequest.UdpWith(StunAttributeType.RequestedAddressFamily, 2, 0, 0, 0),
            _ => StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0),
        };
        var client = _host.NewClient(hasToken: true);

        Assert.Equal(StunError.None, _host.Ask(client, StunMethod.Allocate, ask)!.Error);

        Assert.Equal(events, string.Join(' ', _host.Events));
        Assert.Equal(_host.Datagrams.Relays, _host.Datagrams.Started.Select(started => started.Relay));
        Assert.All(_host.Datagrams.Started, started => Assert.Same(_host.AllocationOf(client), started.Allocation));
        Assert.Equal(client.Flow.Client, _host.Path.Sent[0].Client);
    }

    [Fact]
    public void Allocate_IsMeasuredAndCounted_ByItsError()
    {
        _host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport);
        _host.Redis.LiveAllocations = 1000;
        _host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport);

        Assert.Equal(
            ["turn.error_code=0", "turn.error_code=486"], _host.Measurements.Of("turn.allocation.duration").Select(entry => entry.Tags));
        Assert.Equal(
            (1, 1),
            (_host.Requests(StunMethod.Allocate, StunError.None), _host.Requests(StunMethod.Allocate, StunError.AllocationQuotaReached)));
    }

    [Fact]
    public async Task Allocate_IsMeasuredFromItsRequestToItsAnswer()
    {
        var answering = new TaskCompletionSource();
        _host.Redis.Answering = answering.Task;
        Assert.Null(_host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport));
        _host.Clock.Advance(TimeSpan.FromMilliseconds(100));
        answering.SetResult();
        await Eventually.IsTrueAsync(() => _host.Measurements.Of("turn.allocation.duration").Count > 0);

        Assert.Equal(0.1, _host.Measurements.Of("turn.allocation.duration")[0].Value);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void RefusedAllocate_BindsNothing_AndItsSpanHasTheError()
    {
        _host.Redis.LiveAllocations = 1000;

        Assert.Equal(
            StunError.AllocationQuotaReached,
            _host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport)!.Error);

        Assert.Equal(["send"], _host.Events);
        var span = Assert.Single(Spans());
        Assert.Equal((ActivityStatusCode.Error, "AllocationQuotaReached"), (span.Status, span.StatusDescription));
        Assert.Equal(486, span.GetTagItem("turn.error_code"));
    }

    [Fact]
    [Requirement("TURN-A35")]
    public void DrainingServer_AnswersWithTheAlternate()
    {
        using var host = new RecordedHost(alternate: "192.0.2.7");
        host.Node.Drain.Begin();

        var answer = host.Ask(host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport)!;

        Assert.Equal(StunError.TryAlternate, answer.Error);
        Assert.True(answer.Has(StunAttributeType.AlternateServer));
    }

    [Fact]
    [Requirement("EXP-18")]
    public void AllocationMadeEndedAndRefused_IsLogged_WithThePseudonymOfTheSession()
    {
        _host.Redis.Grant = $$"""{"client_id":"wwsf","pseudonym":"session-of-alice"}""";
        var session = $"session {Pseudonym.Of("session-of-alice")}";
        var client = _host.NewClient(hasToken: true);
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        _host.Clock.Advance(TimeSpan.FromSeconds(7));
        _host.Ask(client, StunMethod.Refresh, StunRequest.Lifetime(0));
        _host.Redis.LiveAllocations = 1000;
        _host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport);

        Assert.Collection(
            _host.Log.Records,
            made => Assert.Contains($"An allocation of {session} was made over Udp under the key", made, StringComparison.Ordinal),
            ended => Assert.Contains(
                $"An allocation of {session} over Udp ended after 7 s: the client deleted it. Sent to peers: 0 packets", ended,
                StringComparison.Ordinal),
            refused => Assert.Matches(
                $"An Allocate of {session} over Udp under the key .* was refused with 486: the quota is used up", refused));
        Assert.DoesNotContain("session-of-alice", _host.Log.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    [Requirement("ABUSE-83")]
    public void BugInTheDecision_Is500_AndIsLogged_AndGivesAllBack()
    {
        _host.Datagrams.BindFails = new InvalidOperationException("broken on purpose");

        Assert.Equal(
            StunError.ServerError, _host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport)!.Error);

        Assert.Contains("broken on purpose", Assert.Single(_host.Log.Errors), StringComparison.Ordinal);
        Assert.Equal((0, 0), (_host.Node.Quotas.Total, _host.Redis.Counted));
        Assert.Equal(1, _host.Requests(StunMethod.Allocate, StunError.ServerError));
    }

    [Fact]
    [Requirement("ABUSE-57")]
    [Requirement("ABUSE-83")]
    public void RelayThatCannotReceive_RefusesTheAllocate_AndIsLogged_AndAllIsGivenBack()
    {
        _host.Datagrams.StartFails = new InvalidOperationException("broken on purpose");

        var answer = _host.Ask(_host.NewClient(hasToken: true), StunMethod.Allocate, StunRequest.UdpTransport)!;

        Assert.NotEqual(StunError.None, answer.Error);
        Assert.Contains("broken on purpose", Assert.Single(_host.Log.Errors), StringComparison.Ordinal);
        Assert.Equal((0, 0, 0), (_host.Host.AllocationCount, _host.Node.Quotas.Total, _host.Redis.Counted));
        Assert.Equal(1, Assert.Single(_host.Datagrams.Relays).Closed);
        Assert.Equal(answer.Error, (StunError)(int)Spans()[^1].GetTagItem("turn.error_code")!);
    }

    [Fact]
    public void RetransmittedAllocate_HasNoSpanOfItsOwn_AndARefreshHasOne()
    {
        var client = _host.NewClient(hasToken: true);
        client.Nonce = client.Challenge().Challenge.Nonce;
        var allocate = client.Build(StunMethod.Allocate, StunRequest.UdpTransport);
        var first = _host.Receive(client, allocate);
        var second = _host.Receive(client, allocate);
        Assert.Equal(first!.Octets, second!.Octets);
        _host.Ask(client, StunMethod.Refresh);
        _host.Ask(client, StunMethod.ChannelBind, StunRequest.Peer(RecordedHost.Peer));

        Assert.Equal(["turn allocate", "turn refresh", "turn channel-bind"], Spans().Select(span => span.DisplayName));
        Assert.Equal(ActivityStatusCode.Ok, Spans()[0].Status);
        Assert.Equal(0, Spans()[0].GetTagItem("turn.error_code"));
        Assert.Equal([0, 400], Spans().Skip(1).Select(span => (int)span.GetTagItem("turn.error_code")!));
        Assert.All(Spans().Skip(1), span => Assert.Null(span.GetTagItem("turn.renewal")));
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public void Renewal_ChangesTheOwner_HasASpanOfItsOwn_AndTheEndNamesTheNewKey()
    {
        var client = _host.NewClient(hasToken: true);
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        var next = ActivityTraceId.CreateRandom().ToHexString();
        _host.Redis.Grant = GrantOf("other", next);
        client.Credential = _host.Engine.NewToken("k2").Native;
        Assert.Equal(StunError.None, _host.Ask(client, StunMethod.Refresh)!.Error);

        var record = _host.Host.Allocations().Single().Record;
        Assert.Equal(("k2", "other"), (record.Token!.KeyId, record.Grant!.ClientId));
        var renewal = Spans()[1];
        Assert.Equal(
            ("turn refresh", true, "k2"), (renewal.DisplayName, renewal.GetTagItem("turn.renewal"), renewal.GetTagItem("turn.kid")));
        Assert.Equal(next, Assert.Single(renewal.Links).Context.TraceId.ToHexString());
        lock (_spans) Assert.Single(_spans, span => span.DisplayName == "BATCH" && span.ParentSpanId == renewal.SpanId);

        // The same token again is not a renewal.
        _host.Ask(client, StunMethod.Refresh);
        Assert.Null(Spans()[2].GetTagItem("turn.renewal"));

        _host.Host.EndAll();
        Assert.Equal(("turn.allocation", "k2"), (Spans()[3].DisplayName, Spans()[3].GetTagItem("turn.kid")));
        Assert.Equal("ServerStopped", Spans()[3].GetTagItem("turn.allocation.end"));
        Assert.Equal(4, Spans().Count);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public void OtherRequestsAfterARenewal_AreNotRenewals()
    {
        var client = _host.NewClient(hasToken: true);
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        var commands = _host.Redis.Commands.Count;
        _host.Ask(client, StunMethod.CreatePermission, StunRequest.Peer(RecordedHost.Peer));
        _host.Ask(client, StunMethod.Refresh);

        Assert.Equal(commands, _host.Redis.Commands.Count);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    [Requirement("SEC-15")]
    public void RenewalWithARevokedToken_IsRefused_AndTheAllocationGoesOn()
    {
        var client = _host.NewClient(hasToken: true);
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        _host.Redis.RevokedUntil = _host.Clock.GetUtcNow().AddMinutes(1);
        var own = client.Credential;
        client.Credential = _host.Engine.NewToken().Native;

        Assert.Equal(StunError.Unauthenticated, _host.Ask(client, StunMethod.Refresh)!.Error);

        Assert.Equal(("turn refresh", 401), (Spans()[^1].DisplayName, Spans()[^1].GetTagItem("turn.error_code")));
        client.Credential = own;
        Assert.True(_host.Ask(client, StunMethod.Refresh)!.IsSuccess);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0u)]
    [Requirement("SEC-15")]
    [Requirement("RFC8656-5")]
    public void RefreshWithATokenOfAnotherSession_IsRefused_AndChangesNothing(uint? lifetime)
    {
        var client = _host.NewClient(hasToken: true);
        _host.Redis.Grant = new Grant("wwsf", "alice", null, 0).ToJson();
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        var (own, expiresAt) = (client.Credential, _host.AllocationOf(client).ExpiresAt);
        _host.Redis.Grant = new Grant("wwsf", "mallory", null, 0).ToJson();
        client.Credential = _host.Engine.NewToken().Native;
        _host.Clock.Advance(TimeSpan.FromSeconds(1));
        var answer = _host.Ask(client, StunMethod.Refresh, lifetime is { } seconds ? StunRequest.Lifetime(seconds) : null)!;

        Assert.Equal(StunError.WrongCredentials, answer.Error);

        Assert.Equal(expiresAt, _host.AllocationOf(client).ExpiresAt);
        Assert.Equal("alice", _host.Host.Allocations().Single().Record.Grant!.Pseudonym);
        client.Credential = own;
        Assert.True(_host.Ask(client, StunMethod.Refresh)!.IsSuccess);
    }

    [Theory]
    [InlineData("session")]
    [InlineData("client")]
    [Requirement("SEC-15")]
    public async Task RevocationWhileAnAllocateIsDecided_RefusesIt(string of)
    {
        var client = _host.NewClient(hasToken: true);
        _host.Redis.Grant = new Grant("wwsf", "alice", null, 0).ToJson();
        var answering = new TaskCompletionSource();
        _host.Redis.Answering = answering.Task;
        _host.Datagrams.OnBind = () => _host.Node.Revocations.Add(
            of == "session" ? TurnRevocations.OfSession("alice") : TurnRevocations.OfClient("wwsf"),
            _host.Clock.GetUtcNow() + TokenLimits.LongestLifetime);
        Assert.Null(_host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport));
        answering.SetResult();
        await Eventually.IsTrueAsync(() => _host.Path.Sent.Count > 0);

        Assert.Equal(StunError.Unauthenticated, new StunAnswer(_host.Path.Sent[^1].Octets).Error);
        Assert.Equal((0, 1), (_host.Host.AllocationCount, _host.Datagrams.Relays[0].Closed));
        Assert.Equal((0, 0), (_host.Node.Quotas.Total, _host.Redis.Counted));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("SEC-15")]
    [Requirement("SEC-12")]
    public async Task GrantThatRedisDidNotAnswerAbout_IsReadLater_AndItsRevokedSessionEnds(bool isRevoked)
    {
        var client = _host.NewClient(hasToken: true);
        _host.Node.Tokens.Breaker.Failed(isSlow: true);
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        var allocation = _host.AllocationOf(client);
        Assert.Equal(new TrafficLimits(500, 375_000), allocation.Limits);
        if (isRevoked) _host.Node.Revocations.Add(TurnRevocations.OfSession("alice"), _host.Clock.GetUtcNow().AddMinutes(10));
        _host.Redis.Grant = new Grant("wwsf", "alice", null, 0, new GrantedTraffic(700, 500_000)).ToJson();

        await _host.Host.ReadUnknownGrantsAsync();
        Assert.Equal(1, _host.Host.AllocationCount);
        _host.Clock.Advance(TimeSpan.FromSeconds(1));
        await _host.Host.ReadUnknownGrantsAsync();

        Assert.Equal(isRevoked ? AllocationEnd.Revoked : AllocationEnd.None, allocation.End);
        if (isRevoked) return;
        Assert.Equal(new TrafficLimits(700, 500_000), allocation.Limits);
        var commands = _host.Redis.Commands.Count;
        await _host.Host.ReadUnknownGrantsAsync();
        Assert.Equal(commands, _host.Redis.Commands.Count);
    }

    [Fact]
    [Requirement("ABUSE-83")]
    public void BugInARenewal_IsCountedAndLogged_AndTheAllocationGoesOn()
    {
        var client = _host.NewClient(hasToken: true);
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);
        _host.Redis.Failures["GET"] = new InvalidOperationException("broken on purpose");
        client.Credential = _host.Engine.NewToken().Native;

        Assert.Equal(StunError.ServerError, _host.Ask(client, StunMethod.Refresh)!.Error);

        Assert.Equal(1, _host.Drops(DropReason.Failed));
        Assert.Contains("broken on purpose", Assert.Single(_host.Log.Errors), StringComparison.Ordinal);
        Assert.Equal(1, _host.Host.AllocationCount);
    }

    [Fact]
    public void Record_HasTheTokenTheGrantAndTheTime()
    {
        var client = _host.NewClient(hasToken: true);
        _host.Clock.Advance(TimeSpan.FromSeconds(3));
        _host.Ask(client, StunMethod.Allocate, StunRequest.UdpTransport);

        var (allocation, record) = _host.Host.Allocations().Single();
        Assert.Equal(client.Flow, allocation.FiveTuple);
        Assert.Equal(allocation.Credential.Token, record.Token);
        Assert.Equal("wwsf", record.Grant!.ClientId);
        Assert.Equal(_host.Clock.GetUtcNow(), record.Since);
        Assert.Equal(_trace, record.Trace!.Value.TraceId.ToHexString());
    }

    [Fact]
    public async Task Service_SweepsEachSecond_ReceivesWhatIsHandedOver_AndEndsAllAtTheStop()
    {
        var client = _host.Allocated(hasToken: true);
        var other = _host.Allocated(hasToken: true);
        Assert.Equal(StunError.None, _host.Ask(other, StunMethod.Refresh, StunRequest.Lifetime(0))!.Error);
        using var service = new EngineHostService(
            [_host.Host], _host.Engine.Authenticator, _host.Clock, NullLogger<EngineHostService>.Instance, _host.Node.Tokens);
        var commands = _host.Redis.Commands.Count;
        await service.StartAsync(TestContext.Current.CancellationToken);

        // The warm-up has five commands. The queue is served after it.
        _host.Host.HandOver.Add(StunRequest.SendIndication(RecordedHost.Peer, [1]), client.Flow, _host.Path);
        Assert.True(SpinWait.SpinUntil(() => _host.Datagrams.Relays[0].Sent.Count == 1, Limit));
        Assert.Equal(commands + 5, _host.Redis.Commands.Count);

        await service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(0, _host.Host.AllocationCount);
        Assert.True(service.ExecuteTask!.IsCompletedSuccessfully);
        Assert.All(_host.Datagrams.Relays, relay => Assert.Equal(1, relay.Closed));
    }

    [Fact]
    public async Task Service_EndsExpiredAllocations_WithoutARequest_AndLogsUnknownKeys()
    {
        _host.Allocated(hasToken: true);
        _host.Ask(_host.Engine.NewClient(_host.Engine.NewToken("k9").Native), StunMethod.Allocate, StunRequest.UdpTransport);
        using var service = new EngineHostService(
            [_host.Host], _host.Engine.Authenticator, _host.Clock, new LoggerFactory([_host.Log]).CreateLogger<EngineHostService>());
        var commands = _host.Redis.Commands.Count;
        await service.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.IsTrueAsync(() =>
        {
            _host.Clock.Advance(TimeSpan.FromSeconds(60));
            return _host.Host.AllocationCount == 0;
        });

        Assert.Equal("Expired", Spans()[^1].GetTagItem("turn.allocation.end"));
        Assert.True(SpinWait.SpinUntil(() => _host.Log.Text.Contains("under the key k9", StringComparison.Ordinal), Limit));
        await service.StopAsync(TestContext.Current.CancellationToken);
    }

    private static string GrantOf(string clientId, string trace) =>
        $$"""{"client_id":"{{clientId}}","traceparent":"00-{{trace}}-b7ad6b7169203331-01"}""";

    /// <summary>The spans of this test, in the order of their ends.</summary>
    private List<Activity> Spans()
    {
        lock (_spans) return [.. _spans.Where(span => span.TraceId.ToHexString() == _trace && span.Source.Name == "WebRtcIms.Turn")];
    }
}
