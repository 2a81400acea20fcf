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
    public void SessionWithoutAnAllocation_EndsAfterAMinuteOfSilence()
    {
        using var client = Connected();

        _fixture.Clock.Advance(TimeSpan.FromSeconds(59));
        _fixture.Sweep();
        client.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(client.TryReceive());
        _fixture.Clock.Advance(TimeSpan.FromSeconds(61));
        _fixture.Sweep();

        for (var i = 0; i < 100 && !client.IsEnded; i++) Assert.Null(client.TryReceive(100));
        Assert.True(client.IsEnded);
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
    public async Task SessionsOfOneAddress_AreBounded_AndThePlaceOfOneThatEndsIsFree()
    {
        using var first = Connected();
        using var second = Connected();
        using var third = DtlsHello.Bound();
        var verify = await DtlsHello.AskAsync(third, _fixture.Address, DtlsHello.Write([]));
        var hello = DtlsHello.Write(verify[28..]);
        await third.SendAsync(hello, _fixture.Address, TestContext.Current.CancellationToken);

        // The server takes one datagram after the other: with this answer the one before has been refused.
        second.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(second.TryReceive());
        Assert.Equal(0, third.Available);

        first.End();
        Assert.Equal(DtlsHello.ServerHello, DtlsHello.TypeOf(await DtlsHello.AskAsync(third, _fixture.Address, hello)));
    }

    private DtlsClient Connected()
    {
        var client = new DtlsClient(_fixture.Address);
        client.Handshake();
        return client;
    }
}
