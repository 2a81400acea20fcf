using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A client of a running server over UDP, and a socket that may be its peer.</summary>
internal sealed class ClientAndPeer(TurnServerProcess server) : IAsyncDisposable
{
    private const ushort Channel = 0x4000;

    public StunTestClient Client { get; } = Alice.Udp(IPAddress.Loopback, server.Port);

    public Socket Socket => Client.Socket;

    public UdpClient Peer { get; } = new(new IPEndPoint(IPAddress.Loopback, 0));

    public IPEndPoint PeerAddress => (IPEndPoint)Peer.Client.LocalEndPoint!;

    public IPEndPoint Relayed { get; private set; } = new(IPAddress.None, 0);

    public async Task<StunError> AllocateAsync()
    {
        var answer = await Client.AllocateAsync();
        if (answer.IsSuccess) Relayed = answer.Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
        return answer.Error;
    }

    public Task<StunAnswer> BindAsync() => Client.BindAsync(Channel, PeerAddress);

    public Task<StunAnswer> DeleteAsync() => Client.RequestAsync(StunMethod.Refresh, StunRequest.Lifetime(0));

    public static byte[] OnChannel(ReadOnlySpan<byte> payload) => StunRequest.OnChannel(Channel, payload);

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        Peer.Dispose();
    }
}
