using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A client over UDP whose every octet the test chooses, against a server that runs.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly byte[] Key = MD5.HashData(Encoding.UTF8.GetBytes($"alice:{EngineFixture.Realm}:secret"));

    private readonly UdpClient _socket;
    private byte[] _nonce = [];

    public RawClient(IPAddress server, int port)
    {
        _socket = new UdpClient(new IPEndPoint(server, 0));
        _socket.Connect(server, port);
    }

    /// <summary>Settings of a server that knows this client.</summary>
    public static (string, string)[] Settings(params (string, string)[] more) =>
    [
        ("Turn__StaticUsers__0__Name", "alice"), ("Turn__StaticUsers__0__Password", "secret"),
        ("Turn__Realm", EngineFixture.Realm), .. more,
    ];

    public IPEndPoint LocalEndPoint => (IPEndPoint)_socket.Client.LocalEndPoint!;

    /// <summary>An authenticated request and its answer; fetches a nonce first when there is none.</summary>
    public async Task<StunAnswer> RequestAsync(StunMethod method, WriteAttributes attributes)
    {
        if (_nonce.Length == 0)
        {
            await SendAsync(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport));
            _nonce = new StunAnswer(await ReceiveAsync()).Value(StunAttributeType.Nonce);
        }

        var request = new StunMessageWriter(new byte[512], method, StunClass.Request, StunRequest.NewTransaction());
        attributes(ref request);
        request.Write(StunAttributeType.Username, "alice"u8);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm));
        request.Write(StunAttributeType.Nonce, _nonce);
        request.AddMessageIntegrity(Key);
        await SendAsync(request.Written.ToArray());
        return new StunAnswer(await ReceiveAsync());
    }

    public Task<StunAnswer> PermitAsync(IPEndPoint peer) => RequestAsync(
        StunMethod.CreatePermission,
        (ref StunMessageWriter request) => request.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer)));

    public Task<StunAnswer> BindAsync(ushort channel, IPEndPoint peer) => RequestAsync(
        StunMethod.ChannelBind,
        (ref StunMessageWriter request) =>
        {
            request.WriteUInt32(StunAttributeType.ChannelNumber, (uint)channel << 16);
            request.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer));
        });

    /// <summary>A Send indication.</summary>
    public Task SendToAsync(IPEndPoint peer, byte[] payload, WriteAttributes? more = null) => SendAsync(StunRequest.Plain(
        StunMethod.Send,
        (ref StunMessageWriter message) =>
        {
            message.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer));
            message.Write(StunAttributeType.Data, payload);
            more?.Invoke(ref message);
        },
        StunClass.Indication));

    public Task SendOnChannelAsync(ushort channel, byte[] payload)
    {
        var message = new byte[ChannelData.HeaderLength + payload.Length];
        ChannelData.WriteHeader(message, channel, payload.Length);
        payload.CopyTo(message, ChannelData.HeaderLength);
        return SendAsync(message);
    }

    public async Task SendAsync(byte[] octets) => await _socket.SendAsync(octets, TestContext.Current.CancellationToken);

    /// <summary>The next datagram of the server; one that does not come fails the test.</summary>
    public async Task<byte[]> ReceiveAsync() => await ReceiveAsync(_socket);

    /// <summary>The payload of the next ChannelData, which must be of this channel.</summary>
    public async Task<byte[]> ReceiveOnChannelAsync(ushort channel)
    {
        var message = await ReceiveAsync();
        Assert.Equal(channel, BinaryPrimitives.ReadUInt16BigEndian(message));
        return message[ChannelData.HeaderLength..];
    }

    /// <summary>What a peer's socket gets next.</summary>
    public static async Task<byte[]> ReceiveAsync(UdpClient socket)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        return (await socket.ReceiveAsync(limit.Token)).Buffer;
    }

    public void Dispose() => _socket.Dispose();
}
