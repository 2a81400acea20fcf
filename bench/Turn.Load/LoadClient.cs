using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Load;

/// <summary>One allocation with one channel to the peer, set up step by step on a socket of its own.</summary>
internal sealed class LoadClient : IDisposable
{
    public const ushort Channel = 0x4000;

    private readonly Socket _socket;
    private readonly LoadOptions _options;
    private readonly byte[] _buffer = new byte[2048];
    private byte[] _realm = [];
    private byte[] _nonce = [];
    private readonly LoadToken? _token;

    public LoadClient(LoadOptions options)
    {
        _options = options;
        _token = LoadToken.From(options);
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 1000 };
        _socket.ReceiveBufferSize = 1 << 20;
        _socket.SendBufferSize = 1 << 20;
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
    }

    public int Descriptor => (int)_socket.SafeHandle.DangerousGetHandle();

    public TransportAddress Relayed { get; private set; }

    /// <exception cref="InvalidOperationException">The server refused.</exception>
    public void SetUp(TransportAddress peer)
    {
        var challenge = Request(StunMethod.Allocate, (ref StunMessageWriter writer) => writer.Write(StunAttributeType.RequestedTransport, [17, 0, 0, 0]), sign: false);
        if (!challenge.TryGet(StunAttributeType.Realm, out var realm) || !challenge.TryGet(StunAttributeType.Nonce, out var nonce))
            throw new InvalidOperationException($"no challenge but {challenge.ErrorCode}");
        _realm = realm.ToArray();
        _nonce = nonce.ToArray();

        var allocated = Request(StunMethod.Allocate, (ref StunMessageWriter writer) => writer.Write(StunAttributeType.RequestedTransport, [17, 0, 0, 0]), sign: true);
        if (!allocated.TryGetXorAddress(StunAttributeType.XorRelayedAddress, out var relayed)) throw new InvalidOperationException($"Allocate: {allocated.ErrorCode}");
        Relayed = relayed;

        var bound = Request(StunMethod.ChannelBind, (ref StunMessageWriter writer) =>
        {
            Span<byte> number = stackalloc byte[4];
            BinaryPrimitives.WriteUInt16BigEndian(number, Channel);
            writer.Write(StunAttributeType.ChannelNumber, number);
            writer.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        }, sign: true);
        if (bound.Class != StunClass.SuccessResponse) throw new InvalidOperationException($"ChannelBind: {bound.ErrorCode}");
    }

    public void TearDown() => Request(StunMethod.Refresh, (ref StunMessageWriter writer) => writer.WriteUInt32(StunAttributeType.Lifetime, 0), sign: true);

    public void Dispose() => _socket.Dispose();

    private delegate void Writing(ref StunMessageWriter writer);

    private StunMessageReader Request(StunMethod method, Writing write, bool sign)
    {
        Span<byte> id = stackalloc byte[TransactionId.Length];
        Random.Shared.NextBytes(id);
        var writer = new StunMessageWriter(_buffer, method, StunClass.Request, new TransactionId(id));
        write(ref writer);
        if (sign) Sign(ref writer, method);
        var request = writer.Written.ToArray();

        for (var attempt = 0; attempt < 5; attempt++)
        {
            _socket.SendTo(request, _options.Server);
            try
            {
                var length = _socket.Receive(_buffer);
                if (StunMessageReader.TryRead(_buffer.AsSpan(0, length), out var response) == StunParseStatus.Ok) return response;
            }
            catch (SocketException error) when (error.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                // Retransmit, as a client does.
            }
        }

        throw new InvalidOperationException($"{method}: no answer");
    }

    private void Sign(ref StunMessageWriter writer, StunMethod method)
    {
        var user = Encoding.UTF8.GetBytes(_token is null ? _options.User : _options.Kid!);
        writer.Write(StunAttributeType.Username, user);
        writer.Write(StunAttributeType.Realm, _realm);
        writer.Write(StunAttributeType.Nonce, _nonce);
        if (_token is not null)
        {
            if (method is StunMethod.Allocate or StunMethod.Refresh) writer.Write(StunAttributeType.AccessToken, _token.Octets);
            writer.AddMessageIntegritySha256(_token.MacKey);
            return;
        }

        Span<byte> key = stackalloc byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(user, _realm, Encoding.UTF8.GetBytes(_options.Password), key);
        writer.AddMessageIntegrity(key);
    }
}
