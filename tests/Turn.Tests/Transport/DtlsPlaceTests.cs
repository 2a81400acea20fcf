using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Tests.Running;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>
/// A DTLS handshake gives its place back on every path. The server has 128 threads for handshakes, so each path is taken more often.
/// </summary>
public sealed class DtlsPlaceTests : IAsyncLifetime
{
    private const int MoreThanThereAreThreads = 140;

    private readonly DtlsFixture _fixture = new();

    public ValueTask InitializeAsync() => _fixture.InitializeAsync();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task EvictedHandshakes_GiveTheirPlacesBack()
    {
        // Each keeps its port: a later client of the same port would get what the server repeats for the earlier one.
        List<UdpClient> sockets = [];
        try
        {
            for (var i = 0; i < MoreThanThereAreThreads; i++)
            {
                sockets.Add(DtlsHello.Bound());
                await BeginAsync(sockets[^1]);
            }

            AssertServes();
        }
        finally
        {
            foreach (var socket in sockets) socket.Dispose();
        }
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public void RefusedHandshakes_GiveTheirPlacesBack()
    {
        for (var i = 0; i < MoreThanThereAreThreads; i++)
        {
            using var client = new DtlsClient(_fixture.Address);
            Assert.ThrowsAny<IOException>(() => client.Handshake("h2"));
        }

        AssertServes();
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public void SessionsThatEnd_GiveTheirPlacesBack_AlsoWhereTheClientComesAgainFromItsPort()
    {
        // One address has two sessions here. A client that comes again has one, and its end frees one place.
        for (var i = 0; i < MoreThanThereAreThreads; i++)
        {
            using var client = new DtlsClient(_fixture.Address);
            client.Handshake();
            if (i % 10 == 0) client.Handshake();
            client.End();
        }

        using var first = new DtlsClient(_fixture.Address);
        first.Handshake();
        AssertServes();
    }

    private async Task BeginAsync(UdpClient socket)
    {
        var verify = await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write([]));
        Assert.Equal(
            DtlsHello.ServerHello,
            DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, _fixture.Address, DtlsHello.Write(verify[28..]))));
    }

    private void AssertServes()
    {
        using var client = new DtlsClient(_fixture.Address);
        client.Handshake();
        client.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(client.TryReceive());
    }
}
