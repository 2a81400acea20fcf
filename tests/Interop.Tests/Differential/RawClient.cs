using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Differential;

internal delegate void Attributes(ref StunMessageWriter request);

/// <summary>How a request is signed: USERNAME, HMAC key, and what else stands before the integrity. Null fields are left out.</summary>
internal sealed record Signature(byte[]? Username, byte[]? Key, string? Realm = RawClient.Realm)
{
    /// <summary>Instead of the nonce that the server gave; empty for no NONCE.</summary>
    public byte[]? Nonce { get; init; }

    public byte[]? Token { get; init; }

    public bool IsSha256 { get; init; }

    /// <summary>Written behind the integrity.</summary>
    public Attributes? Behind { get; init; }

    public static Signature Password(string user = "u", string password = "p")
    {
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(Encoding.UTF8.GetBytes(user), Encoding.UTF8.GetBytes(RawClient.Realm), Encoding.UTF8.GetBytes(password), key);
        return new Signature(Encoding.UTF8.GetBytes(user), key);
    }
}

/// <summary>A UDP socket of its own towards one server, and packets as a test wants them.</summary>
internal sealed class RawClient : IDisposable
{
    public const string Realm = "differential.example";

    private static readonly byte[] UdpTransport = [17, 0, 0, 0];

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 15_000 };
    private readonly byte[] _buffer = new byte[2048];
    private readonly int _port;
    private byte[]? _nonce;

    public RawClient(int port)
    {
        _port = port;
        // Both servers keep the allocation of a client that is gone: one that got its port again would be answered 437.
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, FreePorts.Udp()));
        _socket.Connect(IPAddress.Loopback, port);
        Settle();
    }

    /// <summary>Another client of the same server.</summary>
    public RawClient Another() => new(_port);

    public static byte[] NewTransaction() => RandomNumberGenerator.GetBytes(TransactionId.Length);

    public static void Transport(ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, UdpTransport);

    /// <summary>
    /// Sends octets; the answer to them, or "nothing" once the server has answered Binding requests that came behind.
    /// </summary>
    public string Send(byte[] packet) => Describe(Exchange(packet));

    /// <summary>A message without credentials.</summary>
    public string Plain(StunMethod method, Attributes? attributes = null, StunClass @class = StunClass.Request) =>
        Send(Build(method, @class, attributes));

    /// <summary>A request with credentials: right ones, unless told otherwise.</summary>
    public string Signed(StunMethod method, Attributes? attributes = null, Signature? signature = null) => Send(BuildSigned(method, attributes, signature));

    public string Allocate(Attributes? attributes = null, Signature? signature = null) =>
        Signed(StunMethod.Allocate, (ref StunMessageWriter request) => With(ref request, Transport, attributes), signature);

    public byte[] BuildSigned(StunMethod method, Attributes? attributes = null, Signature? signature = null)
    {
        signature ??= Signature.Password();
        var nonce = signature.Nonce ?? (_nonce ??= Challenge());
        return Build(method, StunClass.Request, (ref StunMessageWriter request) =>
        {
            attributes?.Invoke(ref request);
            if (signature.Username is { } username) request.Write(StunAttributeType.Username, username);
            if (signature.Realm is { } realm) request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(realm));
            if (nonce.Length > 0) request.Write(StunAttributeType.Nonce, nonce);
            if (signature.Token is { } token) request.Write(StunAttributeType.AccessToken, token);
            if (signature.Key is { } key && signature.IsSha256) request.AddMessageIntegritySha256(key);
            else if (signature.Key is not null) request.AddMessageIntegrity(signature.Key);
            signature.Behind?.Invoke(ref request);
        });
    }

    public static byte[] Build(StunMethod method, StunClass @class = StunClass.Request, Attributes? attributes = null)
    {
        var writer = new StunMessageWriter(new byte[2048], method, @class, new TransactionId(NewTransaction()));
        attributes?.Invoke(ref writer);
        return writer.Written.ToArray();
    }

    public void Dispose() => _socket.Dispose();

    private static void With(ref StunMessageWriter request, Attributes first, Attributes? then)
    {
        first(ref request);
        then?.Invoke(ref request);
    }

    private byte[] Challenge()
    {
        var answer = Exchange(Build(StunMethod.Allocate, StunClass.Request, Transport)) ?? throw new InvalidOperationException("no challenge came");
        StunMessageReader.TryRead(answer, out var message);
        message.TryGet(StunAttributeType.Nonce, out var nonce);
        return nonce.ToArray();
    }

    private byte[]? Exchange(byte[] packet)
    {
        _socket.Send(packet);
        byte[]? answer = null;

        // What is signed is always answered, and may be overtaken: coturn looks keys up, and Turn decides an Allocate, beside the
        // packet path. All else is answered in order.
        if (HasIntegrity(packet)) answer = Receive();
        for (var round = 0; round < 2; round++)
        {
            var binding = Build(StunMethod.Binding);
            _socket.Send(binding);
            for (var received = Receive(); !IsAnswerTo(binding, received); received = Receive()) answer ??= received;
        }

        return answer;
    }

    // The server knows the client from now on; what it does with a first packet is not what is compared.
    private void Settle() => Exchange(Build(StunMethod.Binding));

    private byte[] Receive()
    {
        var length = _socket.Receive(_buffer);
        return _buffer[..length];
    }

    private static bool HasIntegrity(byte[] packet) =>
        StunMessageReader.TryRead(packet, out var message) == StunParseStatus.Ok && (message.HasMessageIntegrity || message.HasMessageIntegritySha256);

    private static bool IsAnswerTo(byte[] request, byte[] answer) =>
        answer.Length >= StunHeader.Length && answer.AsSpan(8, TransactionId.Length).SequenceEqual(request.AsSpan(8, TransactionId.Length));

    private static string Describe(byte[]? answer)
    {
        if (answer is null) return "nothing";
        if (StunMessageReader.TryRead(answer, out var message) != StunParseStatus.Ok) return "unreadable";
        if (message.Class == StunClass.ErrorResponse) return $"{(int)message.ErrorCode}{Unknown(message)}";
        return "success"
            + (message.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime) ? $", LIFETIME {lifetime}" : "")
            + (message.Has(StunAttributeType.ReservationToken) ? ", RESERVATION-TOKEN" : "")
            + (message.TryGet(StunAttributeType.AddressErrorCode, out var error) ? $", ADDRESS-ERROR-CODE {error[0]} {((error[2] & 7) * 100) + error[3]}" : "");
    }

    private static string Unknown(in StunMessageReader message)
    {
        if (!message.TryGet(StunAttributeType.UnknownAttributes, out var types)) return "";
        var text = new StringBuilder();
        for (; types.Length >= 2; types = types[2..]) text.Append(System.Globalization.CultureInfo.InvariantCulture, $" {BinaryPrimitives.ReadUInt16BigEndian(types):X4}");
        return text.ToString();
    }
}
