using System.Diagnostics;
using System.Net;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Dtls;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// What anybody may send to the DTLS port before there is a session: the look at a record's header, and the exchange of cookies, which
/// decides whether the server makes any state at all (RFC 6347 §4.2.1).
/// </summary>
internal static class DtlsTarget
{
    private const int MaxSteps = 100;

    public static void Run(byte[] octets)
    {
        var script = new Script(octets);
        var world = new DtlsWorld();
        for (var step = 0; step < MaxSteps && !script.IsEmpty; step++)
        {
            var choice = script.Byte();
            switch (choice % 3)
            {
                case 0: world.Raw(script.Byte(), script.Read(script.UInt16() % 2048)); break;
                case 1: world.Hello(script.Byte(), script.Byte(), script.Byte(), ref script); break;
                case 2: world.Wait(TimeSpan.FromSeconds(script.Byte())); break;
                default: throw new UnreachableException();
            }
        }
    }
}

/// <summary>A cookie exchange with clients and a clock, and a book of the cookies that were given out.</summary>
internal sealed class DtlsWorld
{
    // Ethernet with its checksum, IPv4 and UDP.
    private const int FrameOverhead = 18 + 20 + 8;

    // In a ClientHello in one fragment: behind the headers of the record and of the message, a version and 32 octets of randomness.
    private const int SessionIdAt = DtlsRecord.HeaderLength + 12 + 2 + 32;
    private const byte HelloVerifyRequest = 3;

    private static readonly BcTlsCrypto Crypto = new(new SecureRandom());

    private static readonly TransportAddress[] Clients =
    [
        TransportAddress.From(IPEndPoint.Parse("198.51.100.7:40000")), TransportAddress.From(IPEndPoint.Parse("198.51.100.7:40001")),
        TransportAddress.From(IPEndPoint.Parse("[2001:db8:1::7]:40000")),
    ];

    private readonly Clock _clock = new();
    private readonly CookieExchange _cookies;
    private readonly List<Given> _given = [];

    public DtlsWorld() => _cookies = new CookieExchange(Crypto, _clock);

    public void Wait(TimeSpan time) => _clock.Now += time;

    /// <summary>Octets as they are.</summary>
    public void Raw(byte client, ReadOnlySpan<byte> datagram) => Receive(Clients[client % Clients.Length], datagram);

    /// <summary>A ClientHello with a cookie that somebody was given, or none, in which some octets are others.</summary>
    public void Hello(byte client, byte cookie, byte changes, ref Script script)
    {
        var from = Clients[client % Clients.Length];
        var given = (cookie & 1) != 0 && _given.Count > 0 ? _given[(cookie >> 1) % _given.Count] : null;
        var datagram = WriteHello(given?.Cookie ?? []);
        for (var count = changes & 7; count > 0; count--) datagram[script.UInt16() % datagram.Length] = script.Byte();
        var isWhole = (changes & 0x80) == 0;
        var (wasAnswered, isAccepted) = Receive(from, isWhole ? datagram : datagram.AsSpan(0, script.UInt16() % datagram.Length));
        if ((changes & 0x87) != 0) return;

        Check(isAccepted || wasAnswered, "a ClientHello gets a cookie, or begins a handshake");
        var serves = given is not null && given.Client == from && given.IsForHello && _clock.Now - given.At < TimeSpan.FromSeconds(30);
        Check(isAccepted || !serves, "a cookie serves for half a minute at least");
        if (wasAnswered) _given[^1] = _given[^1] with { IsForHello = true };
    }

    private (bool WasAnswered, bool IsAccepted) Receive(in TransportAddress client, ReadOnlySpan<byte> datagram)
    {
        ReadRecords(datagram);
        if (!DtlsRecord.IsClientHello(datagram)) return default;
        var sender = new Sender();
        var request = _cookies.Verify(client, datagram, sender);
        if (request is not null) CheckAccepted(client, datagram, sender);
        if (sender.Sent is { } answer) CheckAnswer(client, datagram, answer);
        return (sender.Sent is not null, request is not null);
    }

    /// <summary>As a session takes the records of a datagram, one after the other.</summary>
    private static void ReadRecords(ReadOnlySpan<byte> rest)
    {
        for (; DtlsRecord.TryRead(rest, out var record); rest = rest[record.Length..])
        {
            Check(record.Length >= DtlsRecord.HeaderLength && record.Length <= rest.Length, "a record lies within its datagram");
            Check(record.Number is >= 0 and < 1L << 48, "a record's number has 48 bits");
        }
    }

    private void CheckAccepted(TransportAddress client, ReadOnlySpan<byte> hello, Sender sender)
    {
        Check(sender.Sent is null, "who has shown a cookie is sent none");
        var cookie = CookieOf(hello[SessionIdAt..]).ToArray();
        Check(
            _given.Exists(given =>
                given.Client == client && given.Cookie.AsSpan().SequenceEqual(cookie) && _clock.Now - given.At < TimeSpan.FromSeconds(60)),
            "a handshake begins with a cookie that this address was given within a minute");
    }

    private void CheckAnswer(TransportAddress client, ReadOnlySpan<byte> hello, byte[] answer)
    {
        Check(DtlsRecord.TryRead(answer, out var record) && record.Length == answer.Length, "the answer is one record");
        Check(record is { Type: DtlsRecord.Handshake, Epoch: 0 }
            && answer[DtlsRecord.HeaderLength] == HelloVerifyRequest, "it is a HelloVerifyRequest");
        Check(!DtlsRecord.IsClientHello(answer), "two servers do not answer each other");
        Check(FrameOverhead + answer.Length <= 3 * (FrameOverhead + hello.Length),
            "an answer to a stranger is at most three times as long on the wire");
        _given.Add(new Given(client, CookieOf(answer.AsSpan(DtlsRecord.HeaderLength + 12 + 1), hasSessionId: false).ToArray(), _clock.Now));
    }

    private static ReadOnlySpan<byte> CookieOf(ReadOnlySpan<byte> octets, bool hasSessionId = true)
    {
        if (hasSessionId) octets = octets[(1 + octets[0])..];
        return hasSessionId ? octets.Slice(1, octets[0]) : octets.Slice(2, octets[1]);
    }

    /// <summary>DTLS 1.2 with one suite, secp256r1 and rsa_pkcs1_sha256, in one fragment.</summary>
    private static byte[] WriteHello(byte[] cookie)
    {
        byte[] extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 1, 0xFF, 1, 0, 1, 0];
        byte[] body =
            [0xFE, 0xFD, .. new byte[32], 0, (byte)cookie.Length, .. cookie, 0, 2, 0xC0, 0x2F, 1, 0, 0, (byte)extensions.Length,
                .. extensions];
        var number = (byte)(cookie.Length > 0 ? 1 : 0);
        byte[] length = [0, (byte)(body.Length >> 8), (byte)body.Length];
        byte[] message = [1, .. length, 0, number, 0, 0, 0, .. length, .. body];
        return [DtlsRecord.Handshake, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, number, (byte)(message.Length >> 8), (byte)message.Length,
            .. message];
    }

    private static void Check(bool holds, string what) => FindingException.ThrowUnless(holds, what);

    /// <summary>A cookie, which serves its client for what it was given for alone: the ClientHello as it is, or a changed one.</summary>
    private sealed record Given(TransportAddress Client, byte[] Cookie, TimeSpan At, bool IsForHello = false);

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private sealed class Sender : DatagramSender
    {
        public byte[]? Sent { get; private set; }

        public int GetSendLimit() => 1200;

        public void Send(byte[] buf, int off, int len) => Send(buf.AsSpan(off, len));

        public void Send(ReadOnlySpan<byte> buffer)
        {
            Check(Sent is null, "a datagram is answered once");
            Sent = buffer.ToArray();
        }
    }
}
