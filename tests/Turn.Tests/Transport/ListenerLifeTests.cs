using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Tests.Settings;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A listener that is opened and closed while the others serve.</summary>
[Requirement("NET-06")]
public sealed class ListenerLifeTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly IPAddress Other = IPAddress.Parse("127.0.0.2");

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    public async Task OtherListeners_GoOn_WhileOneIsOpenedAndClosed(string transport)
    {
        Assert.SkipUnless(transport == "Portable" || OperatingSystem.IsLinux(), "a back end of Linux");
        await using var server = await ComposedServer.StartAsync(
            ("Turn:Transport", transport), ("Turn:Workers", "2"), ("Turn:PeerPolicy", "AllowLoopback"), ("Turn:ChallengesPerSecond", "0"));
        var listener = server.Get<IEnumerable<IAddressListener>>().First();
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        await using var client = Alice.Udp(IPAddress.Loopback, server.Port);
        client.Credential = StunCredential.Password("alice", "secret");
        Assert.True((await client.AllocateAsync()).IsSuccess);
        Assert.True((await client.BindAsync(0x4000, (IPEndPoint)peer.Client.LocalEndPoint!)).IsSuccess);

        for (var round = 0; round < 20; round++)
        {
            listener.Open(Other);
            await using var atOther = StunTestClient.Udp(new IPEndPoint(Other, server.Port));
            Assert.True((await atOther.RequestAsync(StunMethod.Binding)).IsSuccess);
            for (var i = 0; i < 5; i++) await EchoAsync(client, peer);
            listener.Close(Other);
            await EchoAsync(client, peer);
            UntilRefused(atOther);
        }
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    public async Task AllocationsOfAClosedListener_AreNotReached_AndHarmNoOther(string transport)
    {
        Assert.SkipUnless(transport == "Portable" || OperatingSystem.IsLinux(), "a back end of Linux");
        await using var server = await ComposedServer.StartAsync(
            ("Turn:Transport", transport), ("Turn:Workers", "1"), ("Turn:PeerPolicy", "AllowLoopback"),
            ("Turn:RelayAddress", "127.0.0.1"));
        var listener = server.Get<IEnumerable<IAddressListener>>().First();
        listener.Open(Other);
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var client = StunTestClient.Udp(new IPEndPoint(Other, server.Port));
        client.Credential = StunCredential.Password("alice", "secret");
        var relayed = (await client.AllocateAsync()).Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
        Assert.True((await client.BindAsync(0x4000, (IPEndPoint)peer.Client.LocalEndPoint!)).IsSuccess);
        await EchoAsync(client, peer);
        listener.Close(Other);
        UntilRefused(client);

        // Another listener has the place of the closed one. What comes for the old client must not leave by it: its socket now takes
        // datagrams of any sender.
        var address = client.LocalEndPoint;
        await client.DisposeAsync();
        using var former = new UdpClient(address);
        listener.Open(IPAddress.Parse("127.0.0.3"));
        for (var i = 0; i < 100; i++) await peer.SendAsync(new byte[] { 1 }, relayed, TestContext.Current.CancellationToken);
        await using var atThird = StunTestClient.Udp(new IPEndPoint(IPAddress.Parse("127.0.0.3"), server.Port));
        Assert.True((await atThird.RequestAsync(StunMethod.Binding)).IsSuccess);
        Assert.Equal(0, former.Available);
    }

    private static async Task EchoAsync(StunTestClient client, UdpClient peer)
    {
        await client.SendOnChannelAsync(0x4000, [1, 2, 3]);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        var received = await peer.ReceiveAsync(limit.Token);
        await peer.SendAsync(received.Buffer, received.RemoteEndPoint, limit.Token);
        Assert.Equal(new byte[] { 1, 2, 3 }, await client.ReceiveOnChannelAsync(0x4000));
    }

    // The system answers for a closed port.
    private static void UntilRefused(StunTestClient client)
    {
        var isRefused = SpinWait.SpinUntil(
            () =>
            {
                try
                {
                    client.Send(StunRequest.Plain(StunMethod.Binding));
                    if (client.Socket.Poll(TimeSpan.FromMilliseconds(20), SelectMode.SelectRead)) client.Receive();
                    return false;
                }
                catch (SocketException error)
                {
                    return error.SocketErrorCode == SocketError.ConnectionRefused;
                }
            },
            Limit);
        Assert.True(isRefused);
    }
}
