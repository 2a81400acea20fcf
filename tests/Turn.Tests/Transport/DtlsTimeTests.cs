using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Tests.Engine;
using WebRtcIms.Turn.Tests.Running;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>How long the server keeps what DTLS needs, and how much of it.</summary>
public sealed class DtlsTimeTests : IAsyncLifetime
{
    private readonly DtlsBench _bench = new();

    public ValueTask InitializeAsync() => _bench.InitializeAsync();

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Theory]
    [InlineData(29, DtlsHello.ServerHello)]
    [InlineData(61, DtlsHello.HelloVerifyRequest)]
    [Requirement("RFC7350-4.6")]
    [Requirement("TURN-E1")]
    public async Task Cookie_ServesForAMinuteAtMost(int seconds, byte answer)
    {
        using var socket = DtlsHello.Bound();
        var verify = await DtlsHello.AskAsync(socket, _bench.Address, DtlsHello.Write([]));

        _bench.Clock.Advance(TimeSpan.FromSeconds(seconds));

        Assert.Equal(answer, DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _bench.Address, DtlsHello.Write(verify[28..]))));
    }

    [Fact]
    [Requirement("RFC7350-4.6")]
    [Requirement("TURN-E1")]
    public async Task Cookie_ServesForAMinuteAtMost_AlsoWhereNobodyElseAskedMeanwhile()
    {
        using var socket = DtlsHello.Bound();
        var verify = await DtlsHello.AskAsync(socket, _bench.Address, DtlsHello.Write([]));
        _bench.Clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(DtlsHello.HelloVerifyRequest, DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _bench.Address, DtlsHello.Write([]))));

        _bench.Clock.Advance(TimeSpan.FromSeconds(11));

        Assert.Equal(
            DtlsHello.HelloVerifyRequest,
            DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _bench.Address, DtlsHello.Write(verify[28..]))));
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public void SessionWithoutAnAllocation_EndsAfterAMinuteOfSilence()
    {
        using var client = Connected();

        _bench.Clock.Advance(TimeSpan.FromSeconds(59));
        _bench.Sweep();
        client.Say(TestClient.Plain(StunMethod.Binding));
        Assert.NotNull(client.Hear());
        _bench.Clock.Advance(TimeSpan.FromSeconds(61));
        _bench.Sweep();

        for (var i = 0; i < 100 && !client.IsEnded; i++) Assert.Null(client.Hear(100));
        Assert.True(client.IsEnded);
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public void SessionWithAnAllocation_LivesAsLongAsThat()
    {
        using var client = Connected();
        Assert.True(client.Allocate().IsSuccess);

        _bench.Clock.Advance(TimeSpan.FromSeconds(300));
        _bench.Sweep();
        client.Say(TestClient.Plain(StunMethod.Binding));

        Assert.NotNull(client.Hear());
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task SessionsOfOneAddress_AreBounded_AndThePlaceOfOneThatEndsIsFree()
    {
        using var first = Connected();
        using var second = Connected();
        using var third = DtlsHello.Bound();
        var verify = await DtlsHello.AskAsync(third, _bench.Address, DtlsHello.Write([]));
        var hello = DtlsHello.Write(verify[28..]);
        await third.SendAsync(hello, _bench.Address, TestContext.Current.CancellationToken);

        // The server takes one datagram after the other: with this answer the one before has been refused.
        second.Say(TestClient.Plain(StunMethod.Binding));
        Assert.NotNull(second.Hear());
        Assert.Equal(0, third.Available);

        first.End();
        Assert.Equal(DtlsHello.ServerHello, DtlsHello.TypeOf(await DtlsHello.AskAsync(third, _bench.Address, hello)));
    }

    private DtlsClient Connected()
    {
        var client = new DtlsClient(_bench.Address);
        client.Handshake();
        return client;
    }
}
