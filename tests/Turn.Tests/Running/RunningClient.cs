using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A client of a server that runs, over UDP, with the user <c>alice</c>; and a socket that may be its peer.</summary>
internal sealed class RunningClient : IDisposable
{
    public const ushort Channel = 0x4000;

    private static readonly byte[] Key = MD5.HashData(Encoding.UTF8.GetBytes($"alice:{EngineFixture.Realm}:secret"));
    private readonly UdpClient _client = new(new IPEndPoint(IPAddress.Loopback, 0));
    private byte[] _nonce = [];

    public RunningClient(TurnServerProcess server) => _client.Connect(IPAddress.Loopback, server.Port);

    public static (string, string)[] Settings(string transport) =>
    [
        ("Turn__StaticUsers__0__Name", "alice"), ("Turn__StaticUsers__0__Password", "secret"), ("Turn__Realm", EngineFixture.Realm),
        ("Turn__Transport", transport),
    ];

    public UdpClient Peer { get; } = new(new IPEndPoint(IPAddress.Loopback, 0));

    public IPEndPoint PeerAddress => (IPEndPoint)Peer.Client.LocalEndPoint!;

    public IPEndPoint Relayed { get; private set; } = new(IPAddress.None, 0);

    public Socket Socket => _client.Client;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async Task<StunError> AllocateAsync()
    {
        await _client.SendAsync(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport), Cancel);
        _nonce = (await AnswerAsync()).Value(StunAttributeType.Nonce);
        var answer = await RequestAsync(StunMethod.Allocate, StunRequest.UdpTransport);
        if (answer.IsSuccess) Relayed = answer.Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
        return answer.Error;
    }

    public Task<StunAnswer> PermitAsync(IPEndPoint peer) => RequestAsync(
        StunMethod.CreatePermission,
        (ref StunMessageWriter request) => request.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer)));

    public Task<StunAnswer> BindAsync(IPEndPoint peer) => RequestAsync(
        StunMethod.ChannelBind,
        (ref StunMessageWriter request) =>
        {
            Span<byte> number = stackalloc byte[4];
            number.Clear();
            BinaryPrimitives.WriteUInt16BigEndian(number, Channel);
            request.Write(StunAttributeType.ChannelNumber, number);
            request.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer));
        });

    public Task<StunAnswer> DeleteAsync() => RequestAsync(
        StunMethod.Refresh, (ref StunMessageWriter request) => request.WriteUInt32(StunAttributeType.Lifetime, 0));

    public static byte[] OnChannel(ReadOnlySpan<byte> payload)
    {
        var message = new byte[ChannelData.HeaderLength + payload.Length];
        ChannelData.WriteHeader(message, Channel, payload.Length);
        payload.CopyTo(message.AsSpan(ChannelData.HeaderLength));
        return message;
    }

    /// <summary>By a Send indication.</summary>
    public async Task SendAsync(IPEndPoint to, byte[] payload) => await _client.SendAsync(
        StunRequest.Plain(
            StunMethod.Send,
            (ref StunMessageWriter message) =>
            {
                message.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(to));
                message.Write(StunAttributeType.Data, payload);
            },
            StunClass.Indication),
        Cancel);

    /// <summary>The next message of the server.</summary>
    public async Task<StunAnswer> AnswerAsync() => new(await OctetsAsync());

    public async Task<byte[]> OctetsAsync() => (await _client.ReceiveAsync(Cancel)).Buffer;

    public void Dispose()
    {
        _client.Dispose();
        Peer.Dispose();
    }

    private async Task<StunAnswer> RequestAsync(StunMethod method, WriteAttributes attributes)
    {
        var request = new StunMessageWriter(new byte[512], method, StunClass.Request, StunRequest.NewTransaction());
        attributes(ref request);
        request.Write(StunAttributeType.Username, "alice"u8);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm));
        request.Write(StunAttributeType.Nonce, _nonce);
        request.AddMessageIntegrity(Key);
        var octets = request.Written.ToArray();
        await _client.SendAsync(octets, Cancel);
        return await AnswerAsync();
    }
}
