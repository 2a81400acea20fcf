using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>TCP allocations of the running server, with real peers (RFC 6062).</summary>
public sealed class TcpRelayTests : IAsyncLifetime
{
    private readonly TcpListener _peers = new(IPAddress.Loopback, 0);
    private TurnServerProcess? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IPEndPoint PeerAddress => (IPEndPoint)_peers.LocalEndpoint;

    // Two workers: a data connection may reach another one than the control connection did.
    public async ValueTask InitializeAsync()
    {
        _peers.Start();
        _server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__TcpRelays", "true"), ("Turn__Workers", "2")));
    }

    public async ValueTask DisposeAsync()
    {
        _peers.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C3")]
    [Requirement("TURN-C6")]
    public async Task OctetsGoBothWays_ThoseThatCameBeforeTheBindToo()
    {
        var (control, _) = await AllocateAsync();
        await using var owner = control;
        for (var i = 0; i < 6; i++)
        {
            var connect = control.RequestAsync(StunMethod.Connect, StunRequest.Peer(PeerAddress));
            using var peer = await _peers.AcceptTcpClientAsync(Cancel);
            await peer.GetStream().WriteAsync("before the bind"u8.ToArray(), Cancel);
            await using var data = await ConnectAsync();
            var bind = await data.BuildAsync(StunMethod.ConnectionBind, Of(await connect));
            await data.Stream.WriteAsync((byte[])[.. bind, .. "right behind it"u8], Cancel);

            Assert.True((await data.ReceiveStunAsync()).IsSuccess);
            Assert.Equal("before the bind"u8.ToArray(), await ReadAsync(data.Stream, 15));
            Assert.Equal("right behind it"u8.ToArray(), await ReadAsync(peer.GetStream(), 15));

            // No octet has a meaning any more, not even those of a STUN message.
            await data.Stream.WriteAsync(bind, Cancel);
            Assert.Equal(bind, await ReadAsync(peer.GetStream(), bind.Length));
            peer.Close();
            await AssertEndsAsync(data.Stream);
        }
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    [Requirement("TURN-C5")]
    public async Task PeerThatConnects_IsAnnouncedUnderAPermission_AndClosedWithoutOne()
    {
        var (control, relay) = await AllocateAsync();
        await using var owner = control;
        using var stranger = new TcpClient();
        await stranger.ConnectAsync(relay, Cancel);
        await AssertEndsAsync(stranger.GetStream());

        Assert.True((await control.RequestAsync(StunMethod.CreatePermission, StunRequest.Peer(PeerAddress))).IsSuccess);
        using var peer = new TcpClient(AddressFamily.InterNetwork);
        await peer.ConnectAsync(relay, Cancel);
        var attempt = await control.ReceiveStunAsync();
        Assert.Equal(StunMethod.ConnectionAttempt, attempt.Message.Method);
        Assert.Equal(peer.Client.LocalEndPoint, attempt.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());

        await using var data = await ConnectAsync();
        Assert.True((await data.RequestAsync(StunMethod.ConnectionBind, Of(attempt))).IsSuccess);
        await peer.GetStream().WriteAsync("hello"u8.ToArray(), Cancel);
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(data.Stream, 5));
    }

    [Theory]
    [InlineData("Turn__Quotas__BytesPerSecond", "200000")]
    [InlineData("Turn__Quotas__PacketsPerSecond", "25")]
    [Requirement("ABUSE-72")]
    public async Task LimitsOfTraffic_SlowTheOctetsInBothDirections_AndLoseNone(string limit, string value)
    {
        // A read is one packet, and takes a buffer of the pipe at most: 4096 octets.
        var octets = limit.EndsWith("BytesPerSecond", StringComparison.Ordinal) ? 500_000 : 75 * 4096;
        var atLeast = limit.EndsWith("BytesPerSecond", StringComparison.Ordinal)
            ? (500_000 - 200_000 - 4096) / 200_000.0 : (75.0 - 25 - 1) / 25;
        await RestartAsync((limit, value));
        var (control, _) = await AllocateAsync();
        await using var owner = control;
        var (data, peer) = await OpenAsync(control);
        await using var mine = data;
        using var theirs = peer;

        await PassAsync(data.Stream, peer.GetStream());
        await PassAsync(peer.GetStream(), data.Stream);

        async Task PassAsync(Stream from, Stream to)
        {
            var sent = RandomNumberGenerator.GetBytes(octets);
            var began = Stopwatch.GetTimestamp();
            var sending = from.WriteAsync(sent, Cancel);
            Assert.Equal(sent, await ReadAsync(to, octets));
            await sending;
            Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, atLeast, 60);
        }
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public async Task PeerThatRefuses_Is447()
    {
        var (control, _) = await AllocateAsync();
        await using var owner = control;
        var answer = await control.RequestAsync(StunMethod.Connect, StunRequest.Peer(new IPEndPoint(IPAddress.Loopback, FreePorts.Tcp())));

        Assert.Equal(StunError.ConnectionTimeoutOrFailure, answer.Error);
    }

    [Fact]
    [Requirement("RFC6062-5.5")]
    [Requirement("TURN-C7")]
    public async Task ClientsEnd_IsPassedOn_AndThePeerMayStillAnswer()
    {
        var (control, _) = await AllocateAsync();
        await using var owner = control;
        var (data, peer) = await OpenAsync(control);
        using var theirs = peer;
        await using (data)
        {
            var stream = data.Stream;
            await stream.WriteAsync("last words"u8.ToArray(), Cancel);
            data.Socket.Shutdown(SocketShutdown.Send);
            Assert.Equal("last words"u8.ToArray(), await ReadAsync(peer.GetStream(), 10));
            await AssertEndsAsync(peer.GetStream());
            await peer.GetStream().WriteAsync("an answer"u8.ToArray(), Cancel);
            Assert.Equal("an answer"u8.ToArray(), await ReadAsync(stream, 9));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("RFC6062-5.5")]
    [Requirement("TURN-C7")]
    public async Task AllocationsEnd_ClosesBothSidesOfADataConnection(bool byRefresh)
    {
        var (control, relay) = await AllocateAsync();
        await using var owner = control;
        var (data, peer) = await OpenAsync(control);
        await using var ours = data;
        using var theirs = peer;

        if (byRefresh)
            await control.RequestAsync(StunMethod.Refresh, StunRequest.Lifetime(0));
        else await control.DisposeAsync();
        await AssertEndsAsync(data.Stream);
        await AssertEndsAsync(peer.GetStream());
        using var late = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(async () => await late.ConnectAsync(relay, Cancel));
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C6")]
    public async Task ClientThatDoesNotRead_StopsThePeer_AndNothingIsLost()
    {
        const int Total = 64 << 20;
        await RestartAsync(("Turn__Quotas__BytesPerSecond", "0"), ("Turn__Quotas__PacketsPerSecond", "0"));
        var (control, _) = await AllocateAsync();
        await using var owner = control;
        var (data, peer) = await OpenAsync(control);
        await using var ours = data;
        using var theirs = peer;
        var sent = RandomNumberGenerator.GetBytes(1 << 16);
        var written = 0;
        var writing = Task.Run(
            async () =>
            {
                for (; written < Total; written += sent.Length) await peer.GetStream().WriteAsync(sent, Cancel);
            },
            Cancel);

        // It stops once the buffers of the system are full, long before all is written.
        for (var before = -1; before != Volatile.Read(ref written) || before == 0;)
        {
            before = Volatile.Read(ref written);
            await Task.Delay(500, Cancel);
        }

        Assert.InRange(written, 1, Total - 1);
        for (var read = 0; read < Total; read += sent.Length)
        {
            var part = await ReadAsync(data.Stream, sent.Length);
            Assert.True(part.AsSpan().SequenceEqual(sent));
        }

        await writing;
    }

    private static WriteAttributes Of(StunAnswer answer)
    {
        Assert.Equal(StunError.None, answer.Error);
        var id = answer.Value(StunAttributeType.ConnectionId);
        return StunRequest.Value(StunAttributeType.ConnectionId, id);
    }

    private static async Task<byte[]> ReadAsync(Stream stream, int length)
    {
        var octets = new byte[length];
        await stream.ReadExactlyAsync(octets, Cancel);
        return octets;
    }

    private static async Task AssertEndsAsync(Stream stream)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        try
        {
            Assert.Equal(0, await stream.ReadAsync(new byte[1], limit.Token));
        }
        catch (IOException)
        {
            // A reset is also an end.
        }
    }

    private async Task RestartAsync(params (string, string)[] settings)
    {
        await _server!.DisposeAsync();
        _server = await TurnServerProcess.StartAsync(Alice.Settings([("Turn__TcpRelays", "true"), .. settings]));
    }

    private async Task<StunTestClient> ConnectAsync() => await Alice.TcpAsync(_server!.Port);

    private async Task<(StunTestClient Control, IPEndPoint Relay)> AllocateAsync()
    {
        var control = await ConnectAsync();
        var answer = await control.RequestAsync(StunMethod.Allocate, StunRequest.TcpTransport);
        Assert.Equal(StunError.None, answer.Error);
        return (control, answer.Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint());
    }

    private async Task<(StunTestClient Data, TcpClient Peer)> OpenAsync(StunTestClient control)
    {
        var connect = control.RequestAsync(StunMethod.Connect, StunRequest.Peer(PeerAddress));
        var peer = await _peers.AcceptTcpClientAsync(Cancel);
        var data = await ConnectAsync();
        Assert.True((await data.RequestAsync(StunMethod.ConnectionBind, Of(await connect))).IsSuccess);
        return (data, peer);
    }
}
