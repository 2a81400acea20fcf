using System.Net;
using System.Threading.Channels;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Scripted;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>The keep-alive of an allocation, and the notification of its loss.</summary>
public sealed class KeepAliveTests
{
    private static readonly IPEndPoint Bob = new(IPAddress.Parse("192.0.2.20"), 5000);
    private static readonly IPAddress Carol = IPAddress.Parse("192.0.2.30");

    private readonly ObservedClock _clock = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(600, 540)]
    [InlineData(3600, 3540)]
    [InlineData(60, 45)]
    [InlineData(1, 1)]
    [Requirement("RFC8656-8")]
    public async Task Allocation_IsRefreshedBeforeItEnds_AgainAndAgain(uint lifetime, int secondsUntilRefresh)
    {
        var server = new ScriptedServer(_clock) { Lifetime = lifetime };
        await using var allocation = await server.AllocateAsync(Cancel);
        for (var i = 1; i <= 3; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(secondsUntilRefresh) - TimeSpan.FromMilliseconds(1));
            Assert.DoesNotContain(server.Sent, sent => sent.Method == StunMethod.Refresh);
            _clock.Advance(TimeSpan.FromMilliseconds(1));
            await RefreshedAsync(server);
            server.Forget();
        }
    }

    [Fact]
    [Requirement("RFC8656-8.1")]
    public async Task Refresh_AsksForTheLifetimeThatWasAskedForBefore()
    {
        var server = new ScriptedServer(_clock);
        await using var client = server.Connect();
        var options = new TurnAllocationOptions { Lifetime = TimeSpan.FromMinutes(30) };
        await using var allocation =
            await client.AllocateAsync(TurnCredential.LongTerm(ScriptedServer.User, ScriptedServer.Password), options, Cancel);
        server.Forget();

        _clock.Advance(TimeSpan.FromSeconds(540));
        Assert.Equal(1800u, LifetimeIn(await RefreshedAsync(server)));
        await allocation.RefreshAsync(TimeSpan.FromMinutes(20), Cancel);
        Assert.Equal(1200u, LifetimeIn(await RefreshedAsync(server)));
        _clock.Advance(TimeSpan.FromSeconds(540));
        Assert.Equal(1200u, LifetimeIn(await RefreshedAsync(server)));
    }

    [Fact]
    public void LifetimeOrQueueOfNoUse_IsRefusedAtOnce()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new TurnAllocationOptions { Lifetime = TimeSpan.FromMilliseconds(999) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TurnClientOptions { ReceiveQueueLength = 0 });
    }

    [Fact]
    [Requirement("RFC8656-9")]
    [Requirement("RFC8656-12")]
    public async Task Permissions_AreRenewedEveryFourMinutes_AndChannelsEveryNine()
    {
        var server = new ScriptedServer(_clock) { Lifetime = 3600 };
        await using var allocation = await server.AllocateAsync(Cancel);
        await allocation.CreatePermissionAsync(Carol, Cancel);
        await allocation.BindChannelAsync(Bob, Cancel);
        server.Forget();

        for (var minute = 1; minute <= 12; minute++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            if (minute % 4 == 0)
            {
                var permissions = await server.NextAsync(Cancel);
                Assert.Equal(StunMethod.CreatePermission, permissions.Method);
                Assert.Equal([Carol, Bob.Address], permissions.Peers().Select(peer => peer.Address.ToIPAddress()));
                await server.HandledAsync(Cancel);
            }

            if (minute == 9)
            {
                var channel = await server.NextAsync(Cancel);
                Assert.Equal(StunMethod.ChannelBind, channel.Method);
                Assert.Equal([TransportAddress.From(Bob)], channel.Peers());
                Assert.True(channel.Stun.TryGetUInt32(StunAttributeType.ChannelNumber, out var number));
                Assert.Equal(0x40000000u, number);
                await server.HandledAsync(Cancel);
            }
        }

        Assert.Equal(4, server.Sent.Count);
    }

    [Fact]
    [Requirement("RFC8656-9")]
    public async Task RefusedPermission_IsNotRenewed()
    {
        var server = new ScriptedServer(_clock) { Lifetime = 3600 };
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(server.Refuse(StunError.Forbidden));
        await Assert.ThrowsAsync<TurnException>(() => allocation.CreatePermissionAsync(Carol, Cancel));
        server.Forget();

        _clock.Advance(TimeSpan.FromMinutes(20));

        Assert.Empty(server.Sent);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public async Task RenewalWithAShorterToken_BringsTheNextRefreshForward()
    {
        var server = new ScriptedServer(_clock) { OffersTokens = true, Key = new byte[20] };
        await using var client = server.Connect();
        await using var allocation =
            await client.AllocateAsync(TurnCredential.AccessToken("k1", [1], server.Key), cancellationToken: Cancel);
        server.Key = [.. Enumerable.Repeat((byte)7, 20)];
        server.Lifetime = 40;
        Assert.Equal(TimeSpan.FromSeconds(40), await allocation.RenewAsync(TurnCredential.AccessToken("k2", [2], server.Key), Cancel));
        server.Forget();

        _clock.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal("k2", (await RefreshedAsync(server)).Text(StunAttributeType.Username));
    }

    [Fact]
    [Requirement("RFC8656-8")]
    public async Task RefusedRefresh_LosesTheAllocation_AndEverybodyLearnsWhy()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(server.Refuse(StunError.AllocationMismatch));

        _clock.Advance(TimeSpan.FromSeconds(540));

        var end = await Assert.ThrowsAsync<ChannelClosedException>(() => allocation.Received.ReadAsync(Cancel).AsTask());
        Assert.Equal(StunError.AllocationMismatch, Assert.IsType<TurnException>(end.InnerException).Code);
        await Assert.ThrowsAsync<TurnException>(() => allocation.SendAsync(new byte[1], Bob, Cancel).AsTask());
        await Assert.ThrowsAsync<TurnException>(() => allocation.CreatePermissionAsync(Carol, Cancel));
        await Assert.ThrowsAsync<TurnException>(() => allocation.BindChannelAsync(Bob, Cancel));
        await Assert.ThrowsAsync<TurnException>(() => allocation.RefreshAsync(cancellationToken: Cancel));
    }

    [Fact]
    public async Task LostAllocation_SendsNothingMore()
    {
        var server = new ScriptedServer(_clock);
        var allocation = await server.AllocateAsync(Cancel);
        await allocation.CreatePermissionAsync(Carol, Cancel);
        server.AnswerNext(server.Refuse(StunError.AllocationMismatch));
        await Assert.ThrowsAsync<TurnException>(() => allocation.RefreshAsync(cancellationToken: Cancel));
        server.Forget();

        _clock.Advance(TimeSpan.FromHours(1));
        await allocation.DisposeAsync();

        Assert.Empty(server.Sent);
    }

    [Fact]
    public async Task ClosedConnection_LosesTheAllocation_AndEndsPendingRequests()
    {
        var server = new ScriptedServer(_clock, isReliable: true);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(ScriptedServer.Silence);
        var pending = allocation.CreatePermissionAsync(Carol, Cancel);

        server.Close();

        await Assert.ThrowsAsync<TurnException>(() => pending);
        var end = await Assert.ThrowsAsync<TurnException>(() => allocation.Received.Completion.WaitAsync(Cancel));
        Assert.Contains("closed", end.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC8656-8.1")]
    public async Task Dispose_DeletesTheAllocation_Once()
    {
        var server = new ScriptedServer(_clock);
        var allocation = await server.AllocateAsync(Cancel);

        await allocation.DisposeAsync();
        await allocation.DisposeAsync();

        var deletion = Assert.Single(server.Sent);
        Assert.Equal(StunMethod.Refresh, deletion.Method);
        Assert.Equal(0u, LifetimeIn(deletion));
        await allocation.Received.Completion.WaitAsync(Cancel);
    }

    [Fact]
    public async Task Dispose_WaitsTwoSecondsForASilentServer()
    {
        var server = new ScriptedServer(_clock, isReliable: true);
        var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(ScriptedServer.Silence);

        var disposing = allocation.DisposeAsync().AsTask();
        await server.NextAsync(Cancel);
        _clock.Advance(TimeSpan.FromSeconds(2) - TimeSpan.FromMilliseconds(1));
        Assert.False(disposing.IsCompleted);
        _clock.Advance(TimeSpan.FromMilliseconds(1));

        await disposing.WaitAsync(Cancel);
    }

    [Fact]
    public async Task DisposedClient_DeletesItsAllocation_AndRefusesRequests()
    {
        var server = new ScriptedServer(_clock);
        var client = server.Connect();
        _ = await client.AllocateAsync(TurnCredential.LongTerm(ScriptedServer.User, ScriptedServer.Password), cancellationToken: Cancel);

        await client.DisposeAsync();
        await client.DisposeAsync();

        Assert.Equal(StunMethod.Refresh, server.Sent[^1].Method);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetMappedAddressAsync(Cancel));
    }

    private static uint LifetimeIn(SentMessage refresh)
    {
        Assert.True(refresh.Stun.TryGetUInt32(StunAttributeType.Lifetime, out var seconds));
        return seconds;
    }

    /// <summary>The Refresh that the clock has just started, after its answer has arrived and the next Refresh is scheduled.</summary>
    private async Task<SentMessage> RefreshedAsync(ScriptedServer server)
    {
        while (true)
        {
            var sent = await server.NextAsync(Cancel);
            if (sent.Method != StunMethod.Refresh) continue;

            await _clock.NextChangeAsync(Cancel);
            return sent;
        }
    }
}
