using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Tests.Running;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>How long the server keeps what DTLS needs, and how much of it.</summary>
public sealed class DtlsTimeTests : IAsyncLifetime
{
    private readonly DtlsFixture _fixture = new();

    public ValueTask InitializeAsync() => _fixture.InitializeAsync();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Theory]
    [InlineData(29, DtlsHello.ServerHello)]
    [InlineData(61, DtlsHello.HelloVerifyRequest)]
    [Requirement("RFC7350-4.6")]
    [Requirement("TURN-E1")]
    public async Task Cookie_ServesForAMinuteAtMost(int seconds, byte answer)
    {
        using var socket = DtlsHello.Bound();
        var verify = await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write([]));

        _fixture.Clock.Advance(TimeSpan.FromSeconds(seconds));

        Assert.Equal(answer, DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write(verify[28..]))));
    }

    [Fact]
    [Requirement("RFC7350-4.6")]
    [Requirement("TURN-E1")]
    public async Task Cookie_ServesForAMinuteAtMost_AlsoWhereNobodyElseAskedMeanwhile()
    {
        using var socket = DtlsHello.Bound();
        var verify = await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write([]));
        _fixture.Clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(
            DtlsHello.HelloVerifyRequest, DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write([]))));

        _fixture.Clock.Advance(TimeSpan.FromSeconds(11));

        Assert.Equal(
            DtlsHello.HelloVerifyRequest,
            DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write(verify[28..]))));
    }

    [Fact]
    [Requirement("ABUSE-26")]
    [Requirement("SEC-2")]
    public void SessionWithoutAnAllocation_EndsAfterAMinute_WhateverItsClientSends()
    {
        using var client = Connected();

        _fixture.Clock.Advance(TimeSpan.FromSeconds(59));
        client.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(client.TryReceive());
        _fixture.Sweep();
        Assert.Equal(1, _fixture.Admission.Count);
        _fixture.Clock.Advance(TimeSpan.FromSeconds(1));
        _fixture.Sweep();

        for (var i = 0; i < 100 && !client.IsEnded; i++) Assert.Null(client.TryReceive(100));
        Assert.True(client.IsEnded);
        Assert.Equal(0, _fixture.Admission.Count);
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public void SessionWithAnAllocation_LivesAsLongAsThat()
    {
        using var client = Connected();
        Assert.True(client.Allocate().IsSuccess);

        _fixture.Clock.Advance(TimeSpan.FromSeconds(300));
        _fixture.Sweep();
        client.Send(StunRequest.Plain(StunMethod.Binding));

        Assert.NotNull(client.TryReceive());
    }

    [Fact]
    [Requirement("ABUSE-26")]
    [Requirement("SEC-2")]
    public void OldestSessionOfOneAddress_GivesWay_ButNotOneWithAnAllocation()
    {
        using var allocated = Connected();
        Assert.True(allocated.Allocate().IsSuccess);
        using var first = Connected();
        using var second = Connected();
        Assert.Equal((2, 1), (_fixture.Admission.Unauthenticated, _fixture.Admission.Authenticated));
        using var third = Connected();

        for (var i = 0; i < 100 && !first.IsEnded; i++) Assert.Null(first.TryReceive(100));
        Assert.True(first.IsEnded);
        foreach (var client in (DtlsClient[])[allocated, second, third])
        {
            client.Send(StunRequest.Plain(StunMethod.Binding));
            Assert.NotNull(client.TryReceive());
        }

        Assert.Equal((2, 1), (_fixture.Admission.Unauthenticated, _fixture.Admission.Authenticated));
    }

    // The server makes the session after its last message of the handshake. An answer shows that it has one.
    private DtlsClient Connected()
    {
        var client = new DtlsClient(_fixture.Address);
        client.Handshake();
        client.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(client.TryReceive());
        return client;
    }
}
