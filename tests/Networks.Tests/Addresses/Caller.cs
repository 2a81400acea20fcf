using System.Net;
using System.Net.Sockets;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>A client with an allocation.</summary>
internal sealed class Caller : IAsyncDisposable
{
    private const ushort Channel = 0x4000;

    private Caller(StunTestClient client, IReadOnlyList<IPEndPoint> relayed) => (Client, AllRelayed) = (client, relayed);

    public StunTestClient Client { get; }

    public IPEndPoint Relayed => AllRelayed[0];

    public IReadOnlyList<IPEndPoint> AllRelayed { get; }

    /// <summary>Allocates a relay of the family of the client, or what the attributes ask for.</summary>
    public static async Task<Caller> AllocateAsync(StunTestClient client, WriteAttributes? attributes = null)
    {
        byte family = client.LocalEndPoint.AddressFamily == AddressFamily.InterNetworkV6 ? (byte)2 : (byte)1;
        var answer = await client.RequestAsync(
            StunMethod.Allocate, attributes ?? StunRequest.UdpWith(StunAttributeType.RequestedAddressFamily, family, 0, 0, 0));
        Assert.Equal(StunError.None, answer.Error);
        return new Caller(
            client, [.. answer.Addresses(StunAttributeType.XorRelayedAddress).Select(address => address.ToIPEndPoint())]);
    }

    public async Task PermitAsync(IPEndPoint peer) => Assert.Equal(StunError.None, (await Client.PermitAsync(peer)).Error);

    public async Task BindAsync(IPEndPoint peer) => Assert.Equal(StunError.None, (await Client.BindAsync(Channel, peer)).Error);

    public Task SendOnChannelAsync(string text) => Client.SendOnChannelAsync(Channel, System.Text.Encoding.UTF8.GetBytes(text));

    public async Task<string> ReceiveOnChannelAsync() =>
        System.Text.Encoding.UTF8.GetString(await Client.ReceiveOnChannelAsync(Channel));

    /// <summary>Sends a datagram to a peer in an indication.</summary>
    public Task SendAsync(IPEndPoint peer, string text) => Client.SendToAsync(peer, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>The next message, which must be a Data indication: who sent it, and what.</summary>
    public async Task<(IPEndPoint Peer, string Text)> ReceiveAsync()
    {
        var data = await Client.ReceiveStunAsync();
        return (data.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint(), data.Text(StunAttributeType.Data));
    }

    /// <summary>Exchanges a datagram with a socket on another machine, both ways.</summary>
    public async Task AssertReachesAsync(Machine machine, string address)
    {
        using var peer = machine.Udp(address);
        var at = (IPEndPoint)peer.Client.LocalEndPoint!;
        await PermitAsync(at);
        await SendAsync(at, "to the peer");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        var received = await peer.ReceiveAsync(limit.Token);
        Assert.Equal("to the peer"u8.ToArray(), received.Buffer);
        Assert.Equal(Relayed.Port, received.RemoteEndPoint.Port);
        await peer.SendAsync("to the client"u8.ToArray(), received.RemoteEndPoint, limit.Token);
        Assert.Equal((at, "to the client"), await ReceiveAsync());
    }

    public ValueTask DisposeAsync() => Client.DisposeAsync();
}
