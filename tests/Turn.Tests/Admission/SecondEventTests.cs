using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>What happens a second time, and what Redis says late, on a clock that the test moves.</summary>
public sealed class SecondEventTests
{
    private readonly EngineFixture _fixture = new() { Waiting = [] };
    private readonly FakeTimeProvider _clock;
    private readonly FakeRedis _redis = new();

    public SecondEventTests() => _clock = new FakeTimeProvider(_fixture.Time.Utc);

    [Theory]
    [InlineData(1, 60, 60)]
    [InlineData(60, 1, 60)]
    [InlineData(60, 60, 60)]
    [Requirement("ABUSE-49")]
    public void TokenRevokedTwice_IsRefusedUntilTheLaterEnd(int firstMinutes, int secondMinutes, int endMinutes)
    {
        var revocations = new Revocations(_clock);
        var credential = NewPending().Proof.Credential;
        var name = TurnRevocations.OfToken(credential.Token!.KeyId, credential.Token.TokenId);
        var began = _clock.GetUtcNow();

        Assert.True(revocations.Add(name, began.AddMinutes(firstMinutes)));
        Assert.Equal(secondMinutes > firstMinutes, revocations.Add(name, began.AddMinutes(secondMinutes)));

        Assert.True(revocations.Cover(credential, began.AddMinutes(endMinutes).AddSeconds(-1)));
        Assert.False(revocations.Cover(credential, began.AddMinutes(endMinutes)));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public void TokenRevokedAgainAfterTheEnd_IsRefusedAgain()
    {
        var revocations = new Revocations(_clock);
        var credential = NewPending().Proof.Credential;
        var name = TurnRevocations.OfToken(credential.Token!.KeyId, credential.Token.TokenId);
        Assert.True(revocations.Add(name, _clock.GetUtcNow().AddMinutes(1)));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.False(revocations.Cover(credential, _clock.GetUtcNow()));

        Assert.True(revocations.Add(name, _clock.GetUtcNow().AddMinutes(1)));
        Assert.True(revocations.Cover(credential, _clock.GetUtcNow()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-49")]
    public async Task RenewalOnANodeThatMissedTheRevocation_IsDecidedByRedis(bool isRevoked)
    {
        var node = NewNode();
        if (isRevoked) _redis.RevokedUntil = _clock.GetUtcNow().AddMinutes(1);

        var (error, answer) = await node.Admission.CheckRenewalAsync(NewPending().Proof.Credential, null);

        Assert.Equal(isRevoked ? StunError.Unauthenticated : StunError.None, error);
        Assert.Equal(isRevoked, answer!.IsRevoked);
    }

    [Fact]
    [Requirement("ABUSE-74")]
    public async Task RedisHangs_AnAllocateWaits250Milliseconds_AndTheNextNotAtAll()
    {
        var node = NewNode();
        var answering = new TaskCompletionSource();
        _redis.Answering = answering.Task;

        var waiting = node.Admission.AdmitAsync(NewPending()).AsTask();
        _clock.Advance(TimeSpan.FromMilliseconds(249));
        Assert.False(waiting.IsCompleted);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        var admitted = await waiting.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        var next = node.Admission.AdmitAsync(NewPending());

        Assert.Equal(StunError.None, admitted.Error);
        Assert.True(next.IsCompletedSuccessfully);
        Assert.Equal(StunError.None, (await next).Error);
    }

    [Fact]
    [Requirement("ABUSE-74")]
    public async Task RedisAnswersTooLate_WhatItCountedIsTakenBack()
    {
        var node = NewNode();
        var answering = new TaskCompletionSource();
        _redis.Answering = answering.Task;
        var waiting = node.Admission.AdmitAsync(NewPending()).AsTask();
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        await waiting.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(1, _redis.Counted);

        answering.SetResult();

        Assert.True(SpinWait.SpinUntil(() => _redis.Counted == 0, TimeSpan.FromSeconds(20)));
    }

    private TestNode NewNode() => new(_fixture, _redis.Connection, time: _clock);

    private PendingAllocation NewPending()
    {
        _fixture.NewClient(_fixture.NewToken().Native).TryAllocate();
        return _fixture.Waiting![^1];
    }
}
