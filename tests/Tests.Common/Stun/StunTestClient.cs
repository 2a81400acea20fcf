using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Tests.Common.Stun;

/// <summary>
/// A STUN and TURN client over UDP, TCP or TLS that sends any octets. Unlike <c>Turn.Client</c> it does not retransmit, and it returns
/// every answer. It supports one call at a time.
/// </summary>
public sealed class StunTestClient : IAsyncDisposable
{
    private const int MaxDatagram = 65_536;

    // If no message arrives within this time, the test fails.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly Socket _socket;
    private readonly Stream? _stream;
    private StunChallenge? _challenge;

    private StunTestClient(Socket socket, Stream? stream)
    {
        _socket = socket;
        _stream = stream;
    }

    /// <summary>Signs the requests for which a test names no credential. If null, those requests are not signed.</summary>
    public StunCredential? Credential { get; set; }

    public Socket Socket => _socket;

    /// <summary>The stream of a client over TCP or TLS.</summary>
    public Stream Stream => _stream ?? throw new InvalidOperationException("this client uses UDP");

    public IPEndPoint LocalEndPoint => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>A client over UDP, bound to the address of the server or another, on a free port or the given one.</summary>
    public static StunTestClient Udp(IPEndPoint server, int port = 0, IPAddress? from = null)
    {
        var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = (int)Limit.TotalMilliseconds };
        socket.Bind(new IPEndPoint(from ?? server.Address, port));
        socket.Connect(server);
        return new StunTestClient(socket, stream: null);
    }

    /// <summary>A client over TCP, or over TLS if options are given.</summary>
    public static async Task<StunTestClient> TcpAsync(IPEndPoint server, SslClientAuthenticationOptions? tls = null)
    {
        using var limit = Limited();
        var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, limit.Token);
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        if (tls is null) return new StunTestClient(socket, stream);
        var secure = new SslStream(stream);
        await secure.AuthenticateAsClientAsync(tls, limit.Token);
        return new StunTestClient(socket, secure);
    }

    /// <summary>Sends a request, signed if there is a credential, and returns the answer. Gets a challenge first if needed.</summary>
    public async Task<StunAnswer> RequestAsync(
        StunMethod method, WriteAttributes? attributes = null, StunCredential? credential = null, TransactionId? transaction = null) =>
        await ExchangeAsync(await BuildAsync(method, attributes, credential, transaction));

    /// <summary>The octets of a request, signed if there is a credential. Gets a challenge first if needed.</summary>
    public async Task<byte[]> BuildAsync(
        StunMethod method, WriteAttributes? attributes = null, StunCredential? credential = null, TransactionId? transaction = null)
    {
        credential ??= Credential;
        if (credential is null) return StunRequest.Plain(method, attributes, StunClass.Request, transaction);
        _challenge ??= await ChallengeAsync();
        return StunRequest.Authenticated(method, attributes, credential, _challenge, transaction);
    }

    public Task<StunAnswer> AllocateAsync(
        StunCredential? credential = null, WriteAttributes? more = null, TransactionId? transaction = null) =>
        RequestAsync(StunMethod.Allocate, StunRequest.All(StunRequest.UdpTransport, more), credential, transaction);

    /// <summary>Gets the challenge of an Allocate without credentials.</summary>
    public async Task<StunChallenge> ChallengeAsync() =>
        (await ExchangeAsync(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport))).Challenge;

    public Task<StunAnswer> PermitAsync(IPEndPoint peer) => RequestAsync(StunMethod.CreatePermission, StunRequest.Peer(peer));

    public Task<StunAnswer> BindAsync(ushort channel, IPEndPoint peer) =>
        RequestAsync(StunMethod.ChannelBind, StunRequest.Channel(channel, peer));

    /// <summary>Sends octets and returns the answer to their transaction; other messages are dropped.</summary>
    public async Task<StunAnswer> ExchangeAsync(byte[] request)
    {
        await SendAsync(request);
        while (true)
        {
            var answer = new StunAnswer(await ReceiveAsync());
            if (answer.IsAnswerTo(request)) return answer;
        }
    }

    public async Task SendAsync(byte[] octets)
    {
        using var limit = Limited();
        if (_stream is null) await _socket.SendAsync(octets, limit.Token);
        else await _stream.WriteAsync(octets, limit.Token);
    }

    /// <summary>Sends a Send indication.</summary>
    public Task SendToAsync(IPEndPoint peer, byte[] payload, WriteAttributes? more = null) =>
        SendAsync(StunRequest.SendIndication(peer, payload, more));

    public Task SendOnChannelAsync(ushort channel, byte[] payload) => SendAsync(StunRequest.OnChannel(channel, payload));

    /// <summary>The next message, which must be STUN.</summary>
    public async Task<StunAnswer> ReceiveStunAsync() => new(await ReceiveAsync());

    /// <summary>The payload of the next message, which must be ChannelData of this channel.</summary>
    public async Task<byte[]> ReceiveOnChannelAsync(ushort channel)
    {
        var message = await ReceiveAsync();
        Assert.Equal(channel, BinaryPrimitives.ReadUInt16BigEndian(message));
        return message[ChannelData.HeaderLength..];
    }

    /// <summary>The octets of the next STUN or ChannelData message.</summary>
    public async Task<byte[]> ReceiveAsync()
    {
        using var limit = Limited();
        if (_stream is not null) return await ReadFrameAsync(_stream, limit.Token);
        var buffer = new byte[MaxDatagram];
        return buffer[..await _socket.ReceiveAsync(buffer, limit.Token)];
    }

    /// <summary>Sends a datagram synchronously.</summary>
    public void Send(byte[] datagram) => _socket.Send(datagram);

    /// <summary>Waits for the next datagram synchronously.</summary>
    public byte[] Receive()
    {
        var buffer = new byte[MaxDatagram];
        return buffer[.._socket.Receive(buffer)];
    }

    public async ValueTask DisposeAsync()
    {
        if (_stream is not null) await _stream.DisposeAsync();
        _socket.Dispose();
    }

    private static async Task<byte[]> ReadFrameAsync(Stream stream, CancellationToken cancel)
    {
        var prefix = new byte[StreamFraming.PrefixLength];
        await stream.ReadExactlyAsync(prefix, cancel);
        var length = StreamFraming.FrameLength(prefix);
        Assert.True(length > 0, "the server sent neither STUN nor ChannelData");
        var rest = new byte[length - prefix.Length];
        await stream.ReadExactlyAsync(rest, cancel);
        return [.. prefix, .. rest];
    }

    private static CancellationTokenSource Limited()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        return limit;
    }
}
