using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Load;

/// <summary>One allocation with one channel to the peer, on its own socket.</summary>
internal sealed class LoadClient : IDisposable
{
    public const ushort Channel = 0x4000;

    private readonly Socket _socket;
    private readonly LoadOptions _options;
    private readonly byte[] _buffer = new byte[2048];
    private readonly StunCredential _credential;
    private StunChallenge? _challenge;

    public LoadClient(LoadOptions options)
    {
        _options = options;
        _credential = LoadToken.From(options) is { } token
            ? StunCredential.NativeToken(options.Kid!, token.Octets, token.MacKey)
            : StunCredential.Password(options.User, options.Password);
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 1000 };
        _socket.ReceiveBufferSize = options.ReceiveBuffer;
        _socket.SendBufferSize = 1 << 20;
        _socket.Bind(new IPEndPoint(options.From, 0));
    }

    public int Descriptor => (int)_socket.SafeHandle.DangerousGetHandle();

    public TransportAddress Relayed { get; private set; }

    /// <exception cref="InvalidOperationException">The server refused.</exception>
    public void SetUp(TransportAddress peer)
    {
        var challenge = Request(StunMethod.Allocate, StunRequest.UdpTransport);
        if (!challenge.TryGet(StunAttributeType.Realm, out var realm) || !challenge.TryGet(StunAttributeType.Nonce, out var nonce))
            throw new InvalidOperationException($"no challenge but {challenge.ErrorCode}");
        _challenge = new StunChallenge(realm.ToArray(), nonce.ToArray());

        var allocated = Request(StunMethod.Allocate, StunRequest.UdpTransport);
        if (!allocated.TryGetXorAddress(StunAttributeType.XorRelayedAddress, out var relayed))
            throw new InvalidOperationException($"Allocate: {allocated.ErrorCode}");
        Relayed = relayed;

        var bound = Request(StunMethod.ChannelBind, StunRequest.Channel(Channel, peer.ToIPEndPoint()));
        if (bound.Class != StunClass.SuccessResponse) throw new InvalidOperationException($"ChannelBind: {bound.ErrorCode}");
    }

    /// <exception cref="InvalidOperationException">The server refused.</exception>
    public void TearDown() => Refresh(lifetime: 0);

    /// <exception cref="InvalidOperationException">The server refused.</exception>
    public void Refresh(uint lifetime = 600)
    {
        var refreshed = Request(StunMethod.Refresh, StunRequest.Lifetime(lifetime));
        if (refreshed.Class != StunClass.SuccessResponse) throw new InvalidOperationException($"Refresh: {refreshed.ErrorCode}");
    }

    /// <summary>Sends one datagram to the peer and one back.</summary>
    /// <exception cref="InvalidOperationException">One of them was lost or changed.</exception>
    public void Echo(Socket peer)
    {
        ReadOnlySpan<byte> payload = Guid.NewGuid().ToByteArray();
        Span<byte> data = stackalloc byte[4 + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(data, Channel);
        BinaryPrimitives.WriteUInt16BigEndian(data[2..], (ushort)payload.Length);
        payload.CopyTo(data[4..]);
        _socket.SendTo(data, SocketFlags.None, _options.Server);
        EndPoint relayed = Relayed.ToIPEndPoint();
        var length = peer.ReceiveFrom(_buffer, ref relayed);
        if (!payload.SequenceEqual(_buffer.AsSpan(0, length)) || !relayed.Equals(Relayed.ToIPEndPoint()))
            throw new InvalidOperationException("another datagram reached the peer");
        peer.SendTo(payload, SocketFlags.None, relayed);
        if (!data.SequenceEqual(_buffer.AsSpan(0, _socket.Receive(_buffer))))
            throw new InvalidOperationException("another datagram reached the client");
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Sends a request until an answer arrives. Signs it if there is a challenge.</summary>
    private StunMessageReader Request(StunMethod method, WriteAttributes attributes)
    {
        var request = _challenge is null
            ? StunRequest.Plain(method, attributes)
            : StunRequest.Authenticated(method, attributes, _credential, _challenge);

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
                // No answer in time: retransmit.
            }
        }

        throw new InvalidOperationException($"{method}: no answer");
    }
}
