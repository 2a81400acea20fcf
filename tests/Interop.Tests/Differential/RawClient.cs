using System.Buffers.Binary;
using System.Net;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Interop.Tests.Differential;

/// <summary>A client of one server over UDP, which describes the answer to each packet.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    public const string Realm = "differential.example";

    private readonly StunTestClient _client;
    private readonly int _port;
    private readonly List<RawClient> _others = [];
    private StunChallenge? _challenge;

    public RawClient(int port)
    {
        _port = port;

        // Both servers keep the allocation of a client that is gone: one that got its port again would be answered 437.
        _client = StunTestClient.Udp(new IPEndPoint(IPAddress.Loopback, port), FreePorts.Udp());
        Settle();
    }

    /// <summary>Another client of the same server, which ends with this one.</summary>
    public RawClient Another()
    {
        _others.Add(new RawClient(_port));
        return _others[^1];
    }

    /// <summary>
    /// Sends octets; the answer to them, or "nothing" if the server only answers Binding requests that follow.
    /// </summary>
    public string Send(byte[] packet) => Describe(Exchange(packet));

    /// <summary>A message without credentials.</summary>
    public string Plain(StunMethod method, WriteAttributes? attributes = null, StunClass @class = StunClass.Request) =>
        Send(StunRequest.Plain(method, attributes, @class));

    /// <summary>A request with credentials: the password of the user, unless others are given.</summary>
    public string Signed(StunMethod method, WriteAttributes? attributes = null, StunCredential? credential = null) =>
        Send(BuildSigned(method, attributes, credential));

    public string Allocate(WriteAttributes? attributes = null, StunCredential? credential = null) =>
        Signed(StunMethod.Allocate, StunRequest.All(StunRequest.UdpTransport, attributes), credential);

    public byte[] BuildSigned(StunMethod method, WriteAttributes? attributes = null, StunCredential? credential = null) =>
        StunRequest.Authenticated(method, attributes, credential ?? StunCredential.Password("u", "p"), _challenge ??= Challenge());

    public async ValueTask DisposeAsync()
    {
        foreach (var other in _others) await other.DisposeAsync();
        await _client.DisposeAsync();
    }

    private StunChallenge Challenge()
    {
        var answer = Exchange(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport));
        Assert.NotNull(answer);
        return new StunAnswer(answer).Challenge;
    }

    private byte[]? Exchange(byte[] packet)
    {
        _client.Send(packet);
        byte[]? answer = null;

        // A signed packet is always answered, and may be overtaken: coturn looks keys up, and Turn decides an Allocate, beside the
        // packet path. All others are answered in order.
        if (HasIntegrity(packet)) answer = _client.Receive();
        for (var round = 0; round < 2; round++)
        {
            var binding = StunRequest.Plain(StunMethod.Binding);
            _client.Send(binding);
            for (var received = _client.Receive(); !new StunAnswer(received).IsAnswerTo(binding); received = _client.Receive())
                answer ??= received;
        }

        return answer;
    }

    // After this the server knows the client. The handling of a first packet is not compared.
    private void Settle() => Exchange(StunRequest.Plain(StunMethod.Binding));

    private static bool HasIntegrity(byte[] packet) =>
        StunMessageReader.TryRead(packet, out var message) == StunParseStatus.Ok
            && (message.HasMessageIntegrity || message.HasMessageIntegritySha256);

    private static string Describe(byte[]? answer)
    {
        if (answer is null) return "nothing";
        if (StunMessageReader.TryRead(answer, out var message) != StunParseStatus.Ok) return "unreadable";
        if (message.Class == StunClass.ErrorResponse) return $"{(int)message.ErrorCode}{Unknown(message)}";
        return "success"
            + (message.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime) ? $", LIFETIME {lifetime}" : "")
            + (message.Has(StunAttributeType.ReservationToken) ? ", RESERVATION-TOKEN" : "")
            + (message.TryGet(StunAttributeType.AddressErrorCode, out var error)
                ? $", ADDRESS-ERROR-CODE {error[0]} {((error[2] & 7) * 100) + error[3]}" : "");
    }

    private static string Unknown(in StunMessageReader message)
    {
        if (!message.TryGet(StunAttributeType.UnknownAttributes, out var types)) return "";
        var text = new StringBuilder();
        for (; types.Length >= 2; types = types[2..])
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $" {BinaryPrimitives.ReadUInt16BigEndian(types):X4}");
        return text.ToString();
    }
}
