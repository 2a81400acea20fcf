using System.Text;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Two replicas that share a real Redis: Alice is connected to one, Bob to the other.</summary>
public sealed class ReplicaTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
    private RedisServer _redis = null!;
    private EpCscfApp _here = null!;
    private EpCscfApp _there = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;
    private ConnectionMultiplexer _connection = null!;
    private Task _keepingAlive = Task.CompletedTask;
    private volatile string[] _alive = [];

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _here = await EpCscfApp.StartReplicaAsync(_redis, _time);
        _there = await EpCscfApp.StartReplicaAsync(_redis, _time);
        _connection = await _redis.ConnectAsync();
        _keepingAlive = KeepAliveAsync();
        foreach (var app in new[] { _here, _there })
        {
            // Until both listen.
            await Eventually.IsTrueAsync(async () =>
                await app.Service<HandOvers>().SendAsync(Self(_here), new(HandOverKind.Removed, Nobody))
                && await app.Service<HandOvers>().SendAsync(Self(_there), new(HandOverKind.Removed, Nobody)));
            await app.Service<Replicas>().AnnounceAsync();
        }
        await _here.Service<Replicas>().AnnounceAsync();

        _alice = await _here.RegisterAsync("alice");
        _bob = await _there.RegisterAsync("bob");
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _here.DisposeAsync();
        await _there.DisposeAsync();
        _alive = [];
        await _keepingAlive;
        await _connection.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC3261-16")]
    public async Task Call_IsAnsweredAndEndedByTheCaller()
    {
        var (_, ok) = await CallAsync();

        await _alice.SendAsync(_alice.InDialog("BYE", ok));
        await _bob.AnswerAsync(await _bob.ExpectAsync($"BYE {_bob.Contact};ob"), 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-16.12")]
    public async Task Call_IsEndedByTheCallee()
    {
        var (invite, _) = await CallAsync();

        await _bob.SendAsync(_bob.InDialog("BYE", invite: invite));
        await _alice.AnswerAsync(await _alice.ExpectAsync($"BYE {_alice.Contact};ob"), 200, "OK");
        await _bob.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task CallThatWasDeclined_LeavesNoWay_NotEvenAtTheOtherReplica()
    {
        var (_, invite) = await RingAsync();
        await _bob.AnswerAsync(invite, 603, "Decline");
        await _bob.ExpectAsync("ACK");
        await _alice.ExpectAsync("SIP/2.0 603");

        // Hand-overs keep their order.
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example"));
        await _bob.ExpectAsync("MESSAGE");
        Assert.StartsWith("SIP/2.0 481", (await _bob.AskAsync(_bob.InDialog("MESSAGE", invite: invite))).StartLine);
    }

    [Fact]
    public async Task RequestsInTheCall_KeepTheirOrder()
    {
        var (_, ok) = await CallAsync();
        for (var i = 1; i <= 20; i++) await _alice.SendAsync(_alice.InDialog("INFO", ok, cseq: 100 + i));
        for (var i = 1; i <= 20; i++) Assert.Equal($"{100 + i} INFO", (await _bob.ExpectAsync("INFO"))["CSeq"]);
    }

    [Fact]
    [Requirement("RFC3261-9")]
    public async Task CallerHangsUpBeforeTheAnswer_CalleeIsCancelledAndCallerGets487()
    {
        var (request, invite) = await RingAsync();

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        var cancel = await _bob.ExpectAsync("CANCEL");
        Assert.Equal(invite["Via"], cancel["Via"]);
        await _bob.AnswerAsync(cancel, 200, "OK");
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        await _bob.ExpectAsync("ACK");
        await _alice.ExpectAsync("SIP/2.0 487");
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    public async Task CallerReconnectsToTheOtherReplicaAndHangsUp_CalleeIsCancelledAndCallerGets487()
    {
        var (request, invite) = await RingAsync();
        await using var again = await _alice.ReconnectAsync(_there);
        await again.RegisterAsync(_there.Token("alice"));
        // The first replica knows, and time need not pass.
        await _alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await again.SendAsync(Wic.Following(request, "CANCEL"));
        var cancelled = await again.ExpectAsync("SIP/2.0 200 OK");
        Assert.EndsWith("CANCEL", cancelled["CSeq"]);
        var cancel = await _bob.ExpectAsync("CANCEL");
        Assert.Equal(invite["Via"], cancel["Via"]);
        await _bob.AnswerAsync(cancel, 200, "OK");
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        var terminated = await AdvanceUntilAsync(again.ExpectAsync("SIP/2.0 487"));
        await again.SendAsync(Wic.Following(request, "ACK", terminated["To"]));
        await again.AssertNothingAsync();
        Assert.Equal(0, _here.Service<ProxiedRequests>().Count);
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    public async Task CancelOfWhatNoReplicaHas_Is481()
    {
        await _alice.SendAsync(Wic.Following(_alice.Invite("sip:bob@ims.example"), "CANCEL"));
        await AdvanceUntilAsync(_alice.ExpectAsync("SIP/2.0 481"));
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    public async Task CancelOfSomebodyElsesInviteAtTheOtherReplica_Is481_AndTheCalleeRingsOn()
    {
        var (request, invite) = await RingAsync();
        await using var guest = await _there.RegisterAsync("guest-1");
        await guest.SendAsync(Wic.Following(request, "CANCEL"));
        await AdvanceUntilAsync(guest.ExpectAsync("SIP/2.0 481"));

        await _bob.AnswerAsync(invite, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task RegistrationOfTheOtherReplicaRunsOutInACall_TheByeArrivesAllTheSame()
    {
        var (_, ok) = await CallAsync();
        _time.Advance(TimeSpan.FromMinutes(9));
        await _alice.RegisterAsync(_here.Token("alice"));
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.StartsWith("SIP/2.0 480", (await _alice.AskAsync(_alice.Invite("sip:bob@ims.example"))).StartLine);

        await _alice.SendAsync(_alice.InDialog("BYE", ok));
        await _bob.AnswerAsync(await _bob.ExpectAsync("BYE"), 200, "OK");
        Assert.EndsWith("BYE", (await _alice.ExpectAsync("SIP/2.0 200"))["CSeq"]);
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task CalleeAtBothReplicas_BothRing_TheOtherStopsWhenOneAnswers()
    {
        await using var second = await _here.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var first = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(first, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 200, "OK", "b2");
        await _alice.ExpectAsync("SIP/2.0 200");
        Assert.Contains("cause=200", (await _bob.ExpectAsync("CANCEL"))["Reason"]);
    }

    [Fact]
    [Requirement("TRAP-7")]
    public async Task AnswerFromTheOtherReplica_IsTheCalleesAlone_AndItsTokenStays()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");

        // Another client at Bob's replica has seen the branch.
        await using var guest = await _there.RegisterAsync("guest-1");
        await guest.AnswerAsync(invite, 200, "OK");
        await guest.AssertNothingAsync();
        await _bob.AnswerAsync(invite, 180, "Ringing", extra: $"Authorization: Bearer {_bob.Token}\r\n");

        var ringing = await _alice.ExpectAsync("SIP/2.0 180");
        Assert.DoesNotContain("uthorization", ringing.Text);
        Assert.Equal("\"Bob\" <sip:bob@ims.example>", ringing["P-Asserted-Identity"]);
    }

    [Fact]
    [Requirement("TRAP-12")]
    public async Task CalleeReconnectsToTheOtherReplicaInACall_TheByeArrives()
    {
        var (invite, ok) = await CallAsync();

        await _bob.LoseConnectionAsync();
        await _alice.SendAsync(_alice.InDialog("INFO", ok));
        await using var again = await _bob.ReconnectAsync(_here);
        await again.RegisterAsync(_here.Token("bob"));
        await AdvanceUntilAsync(again.ExpectAsync($"INFO {_bob.Contact};ob"));

        await _alice.SendAsync(_alice.InDialog("BYE", ok));
        await again.AnswerAsync(await again.ExpectAsync("BYE"), 200, "OK");
        var answer = await _alice.ExpectAsync("SIP/2.0 200");
        Assert.EndsWith("BYE", answer["CSeq"]);
        Assert.Equal(invite["Call-ID"], answer["Call-ID"]);
    }

    [Fact]
    [Requirement("TRAP-12")]
    public async Task CallerReconnectsToTheOtherReplicaWhileItRings_TheAnswerAndTheByeArrive()
    {
        var (_, invite) = await RingAsync();

        await using var again = await _alice.ReconnectAsync(_there);
        await again.RegisterAsync(_there.Token("alice"));
        await _alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4409, (int?)_alice.Socket.CloseStatus);

        await _bob.AnswerAsync(invite, 200, "OK");
        var ok = await AdvanceUntilAsync(again.ExpectAsync("SIP/2.0 200"));
        await again.SendAsync(again.InDialog("ACK", ok));
        await _bob.ExpectAsync("ACK");
        await _bob.SendAsync(_bob.InDialog("BYE", invite: invite));
        await again.ExpectAsync("BYE");
    }

    [Fact]
    public async Task CalleeOfTheOtherReplicaLeavesForGood_Is480()
    {
        await RingAsync();
        await _bob.LoseConnectionAsync();
        await AdvanceUntilAsync(_alice.ExpectAsync("SIP/2.0 480"));
    }

    [Fact]
    public async Task ReplicaIsKilled_NewCallsToItsPagesAre480_AndTheDirectoryForgetsThem()
    {
        await KillTheOtherReplicaAsync();

        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        await AdvanceUntilAsync(_alice.ExpectAsync("SIP/2.0 480"));

        await AgeAsync(Self(_there));
        await _here.Service<Replicas>().AnnounceAsync();
        Assert.StartsWith("SIP/2.0 480", (await _alice.AskAsync(_alice.Invite("sip:bob@ims.example"))).StartLine);
        var names = _here.Service<BindingNames>();
        Assert.Empty(await _here.Service<IBindingStore>().OnlineAsync([names.Subscriber("bob@ims.example")]));
    }

    [Fact]
    [Requirement("EXP-35")]
    public async Task PersonOfTheOtherReplica_IsNotifiedToThePagesOfThisOne()
    {
        await _alice.SendAsync(_alice.Request(
            "SUBSCRIBE", $"sip:{EpCscfApp.Domain}", extra: $"Contact: <{_alice.Contact}>\r\nEvent: webrtcims-online\r\n"));
        await _alice.ExpectAsync("SIP/2.0 200");
        await _alice.AnswerAsync(await _alice.ExpectAsync("NOTIFY"), 200, "OK");

        await using var guest = await _there.RegisterAsync("guest-1");
        Assert.Contains("guest-1", (await AdvanceUntilAsync(_alice.ExpectAsync("NOTIFY"))).Body);
    }

    [Fact]
    public async Task ReplicaIsKilledWhileItsPageRings_CallerGets480()
    {
        await RingAsync();
        await KillTheOtherReplicaAsync();
        await AgeAsync(Self(_there));

        await AdvanceUntilAsync(_alice.ExpectAsync("SIP/2.0 480"));
        Assert.Equal(0, _here.Service<ProxiedRequests>().Count);
    }

    [Fact]
    [Requirement("TRAP-12")]
    public async Task ReplicaIsKilledInACall_ItsPageConnectsToTheOther_AndTheByeArrives()
    {
        var (invite, ok) = await CallAsync();
        await KillTheOtherReplicaAsync();
        await _alice.SendAsync(_alice.InDialog("BYE", ok));

        await using var again = await _bob.ReconnectAsync(_here);
        await again.RegisterAsync(_here.Token("bob"));
        var bye = await AdvanceUntilAsync(again.ExpectAsync("BYE"));
        Assert.Equal(invite["Call-ID"], bye["Call-ID"]);
        await again.AnswerAsync(bye, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CancelWhileACalleeOfThisReplicaHasLostItsConnection_Is487AtOnce()
    {
        await using var guest = await _here.RegisterAsync("guest-1");
        await guest.LoseConnectionAsync();
        var request = _alice.Invite(guest.Impu);
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        await _alice.AssertNothingAsync();

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        await _alice.ExpectAsync("SIP/2.0 487");
    }

    [Theory]
    [InlineData("INVITE")]
    [InlineData("MESSAGE")]
    [Requirement("RFC3261-17.1")]
    public async Task RequestHandedOverToAReplicaThatDiesAtThatMoment_IsAnsweredByTheTimerOfItsTransaction(string method)
    {
        await KillTheOtherReplicaAsync();
        // Redis delivers to this subscription, so the request counts as sent.
        var swallowed = new TaskCompletionSource();
        await _connection.GetSubscriber().SubscribeAsync(
            RedisChannel.Literal($"ims:replica:{Self(_there)}"), (_, _) => swallowed.TrySetResult());
        await _alice.SendAsync(_alice.Request(method, "sip:bob@ims.example"));
        if (method == "INVITE") await _alice.ExpectAsync("SIP/2.0 100");
        await swallowed.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await _alice.AssertNothingAsync();

        _time.Advance(Transactions.Transaction.Timeout);
        Assert.EndsWith(method, (await _alice.ExpectAsync("SIP/2.0 408"))["CSeq"]);
        Assert.Equal(0, _here.Service<ProxiedRequests>().Count);
    }

    [Theory]
    [InlineData("INVITE")]
    [InlineData("MESSAGE")]
    [Requirement("RFC3261-17.1")]
    public async Task RequestHandedOverToAReplicaThatDiesAtThatMoment_ReachesThePageThatComesBack(string method)
    {
        await KillTheOtherReplicaAsync();
        var swallowed = new TaskCompletionSource();
        await _connection.GetSubscriber().SubscribeAsync(
            RedisChannel.Literal($"ims:replica:{Self(_there)}"), (_, _) => swallowed.TrySetResult());
        var sent = _alice.Request(method, "sip:bob@ims.example");
        await _alice.SendAsync(sent);
        if (method == "INVITE") await _alice.ExpectAsync("SIP/2.0 100");
        await swallowed.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await _connection.GetSubscriber().UnsubscribeAsync(RedisChannel.Literal($"ims:replica:{Self(_there)}"));

        await using var again = await _bob.ReconnectAsync(_here);
        Assert.StartsWith("SIP/2.0 200", (await again.RegisterAsync(_here.Token("bob"))).StartLine);
        var received = await again.ExpectAsync(method);
        Assert.Equal(new Received(sent)["Call-ID"], received["Call-ID"]);
        await again.AnswerAsync(received, 486, "Busy Here");
        Assert.EndsWith(method, (await _alice.ExpectAsync("SIP/2.0 486"))["CSeq"]);
    }

    [Fact]
    public async Task SessionEndedAtOneReplica_IsEndedAtTheOther()
    {
        await _here.Service<Registrar>().EndSessionAsync("session-of-bob");
        await _bob.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4403, (int?)_bob.Socket.CloseStatus);
        Assert.StartsWith("SIP/2.0 480", (await _alice.AskAsync(_alice.Invite("sip:bob@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task SessionRevokedAtTheWaf_IsEndedWithinASecond_AndItsTokensAreRefused()
    {
        var name = TurnRevocations.OfSession("session-of-bob");
        await TurnRevocations.WriteAsync(
            _connection.GetDatabase(), name, _time.GetUtcNow() + TokenLimits.LongestLifetime, _time.GetUtcNow());

        await _bob.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4403, (int?)_bob.Socket.CloseStatus);
        await using var again = await Wic.ConnectAsync(_here, "bob");
        Assert.StartsWith("SIP/2.0 401", (await again.RegisterAsync(_here.Token("bob"))).StartLine);
        Assert.StartsWith("SIP/2.0 480", (await _alice.AskAsync(_alice.Invite("sip:bob@ims.example"))).StartLine);
        // Each replica has read it. None writes it again.
        Assert.Empty(_connection.GetServers()[0].Keys(pattern: "ims:revoked:*"));
    }

    [Theory]
    [InlineData("token:r1:of-bob", "SIP/2.0 200")]
    [InlineData("key:r1", "SIP/2.0 401")]
    [InlineData("client:wwsf", "SIP/2.0 200")]
    [Requirement("ABUSE-49")]
    public async Task TokenRevokedAtTheWaf_ItsRegistrationEndsWithinASecond_AndALaterTokenRegisters(string name, string later)
    {
        var token = _here.Token("bob", change: token => token with { TokenId = "of-bob" });
        Assert.Equal("SIP/2.0 200 OK", (await _bob.RegisterAsync(token)).StartLine);

        await TurnRevocations.WriteAsync(
            _connection.GetDatabase(), name, _time.GetUtcNow() + TokenLimits.LongestLifetime, _time.GetUtcNow());

        await _bob.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await using var again = await Wic.ConnectAsync(_here, "bob");
        Assert.StartsWith("SIP/2.0 401", (await again.RegisterAsync(token)).StartLine);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.StartsWith(later, (await again.RegisterAsync(_here.Token("bob"))).StartLine);
    }

    /// <summary>A replica that was not subscribed finds the revocation in the sorted set.</summary>
    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RevocationThatWasNotPublished_IsFoundByThePoll_AndOtherNamesEndNothing()
    {
        var end = (_time.GetUtcNow() + TokenLimits.LongestLifetime).ToUnixTimeSeconds();
        await _connection.GetDatabase().SortedSetAddAsync(TurnRevocations.Key,
            [new("session:session-of-bob", end), new("all", end), new("client:session-of-alice", end), new("session:session-of-alice", 1)]);

        while (!_bob.Closed.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Equal(4403, (int?)_bob.Socket.CloseStatus);
        Assert.False(_alice.Closed.IsCompleted);
    }

    [Fact]
    public async Task PageRemovesItsOtherBinding_WhichIsAtTheOtherReplica()
    {
        await using var second = await _here.RegisterAsync("bob");
        Assert.StartsWith("SIP/2.0 200", (await second.RegisterAsync(_here.Token("bob"), expires: 0, contact: "*")).StartLine);

        var answer = await _bob.AskAsync(_bob.Invite("sip:alice@ims.example"));
        while (!answer.StartLine.StartsWith("SIP/2.0 403", StringComparison.Ordinal))
            answer = await _bob.AskAsync(_bob.Request("OPTIONS", "sip:alice@ims.example"));
    }

    [Fact]
    [Requirement("ABUSE-73")]
    public async Task WhatIsWrittenToRedis_CannotBeRead_AndForgedOrRepeatedHandOversDoNothing()
    {
        await using var connection = await _redis.ConnectAsync();
        List<byte[]> seen = [];
        await connection.GetSubscriber().SubscribeAsync(RedisChannel.Pattern("ims:replica:*"), (_, message) =>
        {
            lock (seen) seen.Add((byte[])message!);
        });
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example", body: "hello"));
        await _bob.ExpectAsync("MESSAGE");
        await Eventually.IsTrueAsync(() =>
        {
            lock (seen) return seen.Count > 0;
        });

        byte[] first;
        lock (seen) first = seen[0];
        foreach (var secret in new[] { "hello", "MESSAGE", "sip:", "bob" })
            Assert.Equal(-1, first.AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret)));
        var changed = first.ToArray();
        changed[^1] ^= 1;
        using var stranger = new HandOverSeal(new byte[32].Select(_ => (byte)9).ToArray(), Self(_here));
        var id = _there.Service<BindingNames>().Binding("bob@ims.example", _bob.Contact, $"<{_bob.Instance}>", "1");
        byte[][] forged = [first, changed, [], new byte[8], stranger.Seal(Self(_there), new(HandOverKind.SignedOut, id))];
        foreach (var message in forged)
            await connection.GetSubscriber().PublishAsync(RedisChannel.Literal($"ims:replica:{Self(_there)}"), message);

        // A later one of ours still arrives, and nothing before it.
        await _alice.SendAsync(_alice.Request("OPTIONS", "sip:bob@ims.example"));
        await _bob.ExpectAsync("OPTIONS");
    }

    private static BindingId Nobody => BindingId.FromOctets(new byte[BindingId.OctetLength]);

    private static string Self(EpCscfApp app) => app.Service<Replicas>().Self;

    /// <summary>Ends what the replica has with Redis and with its pages, without a word to either.</summary>
    private async Task KillTheOtherReplicaAsync()
    {
        await _there.Service<IConnectionMultiplexer>().DisposeAsync();
        // Until Redis has noticed, it counts a message to the replica as received.
        var channel = RedisChannel.Literal($"ims:replica:{Self(_there)}");
        await Eventually.IsTrueAsync(async () => await _connection.GetServers()[0].SubscriptionSubscriberCountAsync(channel) == 0);
        _bob.Abort();
    }

    /// <summary>What Redis' clock does in some seconds.</summary>
    private async Task AgeAsync(string replica)
    {
        _alive = [Self(_here)];
        while (await _connection.GetDatabase().SortedSetRemoveAsync("ims:replicas", replica))
            await Task.Delay(300, TestContext.Current.CancellationToken);
    }

    /// <summary>The replicas' clock stands still but Redis' does not: says for them that they are alive.</summary>
    private async Task KeepAliveAsync()
    {
        _alive = [Self(_here), Self(_there)];
        var database = _connection.GetDatabase();
        while (_alive is { Length: > 0 } alive)
        {
            var until = TimeProvider.System.GetUtcNow().AddMinutes(1).ToUnixTimeMilliseconds();
            await database.SortedSetAddAsync("ims:replicas", [.. alive.Select(replica => new SortedSetEntry(replica, until))]);
            await database.KeyExpireAsync("ims:replicas", TimeSpan.FromMinutes(1));
            await Task.Delay(200, CancellationToken.None);
        }
    }

    /// <summary>Lets time pass until something has come.</summary>
    private async Task<Received> AdvanceUntilAsync(Task<Received> expected)
    {
        while (!expected.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            await Task.WhenAny(expected, Task.Delay(20, TestContext.Current.CancellationToken));
        }
        return await expected;
    }

    private async Task<(string Request, Received Invite)> RingAsync()
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync($"INVITE {_bob.Contact} SIP/2.0");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        return (request, invite);
    }

    private async Task<(Received Invite, Received Ok)> CallAsync()
    {
        var (_, invite) = await RingAsync();
        await _bob.AnswerAsync(invite, 200, "OK", body: "v=0\r\n");
        var ok = await _alice.ExpectAsync("SIP/2.0 200");
        Assert.Equal("v=0\r\n", ok.Body);
        await _alice.SendAsync(_alice.InDialog("ACK", ok));
        await _bob.ExpectAsync("ACK");
        return (invite, ok);
    }
}
