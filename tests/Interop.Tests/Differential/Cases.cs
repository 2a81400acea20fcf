using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common.Stun;
using static WebRtcIms.Tests.Common.Stun.StunRequest;

namespace WebRtcIms.Interop.Tests.Differential;

/// <summary>Raw packets by the clauses of RFC 8489, RFC 8656 and RFC 7635.</summary>
internal static class Cases
{
    public const string KeyId = "k1";
    public const string ServerName = "turn.differential.example";

    public static readonly byte[] LongTermKey = RandomNumberGenerator.GetBytes(32);

    private const string PeerAddress = "127.0.0.1:7000";

    private static readonly AccessTokenKey Key = new(KeyId, AccessTokenAlgorithm.A256Gcm, LongTermKey);

    public static IReadOnlyList<DifferentialCase> List { get; } =
    [
        // STUN (RFC 8489)
        new("RFC 8489 §5", "First two bits 10", client => client.Send(Changed(Binding(), 0, 0x80))),
        new("RFC 8489 §5", "Another magic cookie", client => client.Send(Changed(Binding(), 4, 0xFF)),
            "coturn answers RFC 3489 clients, which had no cookie; RFC 8489 has done away with them (§17)."),
        new("RFC 8489 §5", "Length that is not a multiple of four", client => client.Send(Changed([.. Binding(), 0, 0], 3, 2))),
        new("RFC 8489 §5", "Length beyond the datagram", client => client.Send(Changed(Binding(), 3, 4))),
        new("RFC 8489 §5", "Octets behind the message", client => client.Send([.. Binding(), 0, 0, 0, 0])),
        new("RFC 8489 §6.3.4", "Binding success response", client => client.Plain(StunMethod.Binding, null, StunClass.SuccessResponse)),
        new("RFC 8489 §6.3", "Request of an unknown method", client => client.Plain((StunMethod)0x7F),
            "What a server does not know is discarded (§6.3); coturn asks for credentials first."),
        new("RFC 8656 §11.2", "Send as a request", client => client.Plain(StunMethod.Send),
            "Send is an indication; coturn asks for credentials first."),
        new("RFC 8489 §12", "Binding", client => client.Plain(StunMethod.Binding)),
        new("RFC 8489 §6.3.1", "Binding with an unknown required attribute", client => client.Plain(StunMethod.Binding, Unknown(0x7FFF))),
        new("RFC 8489 §6.3.1", "Binding with an unknown optional attribute", client => client.Plain(StunMethod.Binding, Unknown(0xFFFE))),
        new("RFC 8489 §14.7", "Binding with a wrong FINGERPRINT", client => client.Send(WrongFingerprint())),
        new("RFC 8489 §9.2.4", "Allocate without integrity", client => client.Plain(StunMethod.Allocate, UdpTransport)),
        new("RFC 8489 §9.2.4", "Allocate without integrity, unknown required attribute", client =>
            client.Plain(StunMethod.Allocate, All(UdpTransport, Unknown(0x7FFF)))),
        new("RFC 8489 §6.3.1", "Signed Allocate with an unknown required attribute", client => client.Allocate(Unknown(0x7FFF))),
        new("RFC 8489 §9.2.4", "Integrity without USERNAME", client => client.Allocate(null, Password() with { Username = null })),
        new("RFC 8489 §9.2.4", "Integrity without REALM", client => client.Allocate(null, Password() with { Realm = [] })),
        new("RFC 8489 §9.2.4", "Integrity without NONCE", client => client.Allocate(null, Password() with { Nonce = [] })),
        new("RFC 8489 §9.2.4", "Unknown user", client => client.Allocate(null, Password("nobody"))),
        new("RFC 8489 §9.2.4", "Wrong password", client => client.Allocate(null, Password(password: "wrong"))),
        new("RFC 8489 §9.2.4", "Nonce that was never given", client =>
            client.Allocate(null, Password() with { Nonce = "0123456789abcdef"u8.ToArray() })),
        new("RFC 8489 §9.2.4", "Wrong password and a nonce that was never given", client =>
            client.Allocate(null, Password(password: "wrong") with { Nonce = "0123456789abcdef"u8.ToArray() })),
        new("RFC 8489 §9.2.4", "PASSWORD-ALGORITHM without the list", client =>
            client.Allocate(Value(StunAttributeType.PasswordAlgorithm, 0, 2, 0, 0)),
            "Debian's coturn is older than RFC 8489 and knows only MD5 and SHA-1."),
        new("RFC 8489 §14.6", "MESSAGE-INTEGRITY-SHA256 with the MD5 key", client =>
            client.Allocate(null, Password() with { IsSha256 = true }),
            "Debian's coturn is older than RFC 8489 and knows only MD5 and SHA-1."),
        new("RFC 8489 §14.3", "USERNAME of 600 octets", client =>
            client.Allocate(null, Password() with { Username = Encoding.ASCII.GetBytes(new string('u', 600)) }),
            "A user name has less than 509 octets (§14.3); coturn looks it up, in vain."),
        new("RFC 8489 §14", "Two LIFETIMEs", client => client.Allocate(All(Lifetime(1200), Lifetime(2400))),
            "The first counts (§14); coturn takes the last."),
        new("RFC 8489 §14.5", "LIFETIME behind MESSAGE-INTEGRITY", client =>
            client.Allocate(null, Password() with { AfterIntegrity = Lifetime(1200) }),
            "What follows the integrity is ignored (§14.5); coturn acts on it, as anybody on the way may add it."),

        // TURN (RFC 8656)
        new("RFC 8656 §7.2", "Allocate", client => client.Allocate()),
        new("RFC 8656 §7.2", "Allocate, LIFETIME 1", client => client.Allocate(Lifetime(1))),
        new("RFC 8656 §7.2", "Allocate, LIFETIME 777", client => client.Allocate(Lifetime(777))),
        new("RFC 8656 §7.2", "Allocate, LIFETIME 99999", client => client.Allocate(Lifetime(99999))),
        new("RFC 8656 §7.2", "Second Allocate", client => Then(client.Allocate(), client.Allocate())),
        new("RFC 8656 §7.2", "The same Allocate again", Retransmission),
        new("RFC 8656 §7.2", "Allocate without REQUESTED-TRANSPORT", client => client.Signed(StunMethod.Allocate)),
        new("RFC 8656 §7.2", "REQUESTED-TRANSPORT 255", client =>
            client.Signed(StunMethod.Allocate, Value(StunAttributeType.RequestedTransport, 255, 0, 0, 0)),
            "442 is the code for a transport that is not supported (§7.2, 3)."),
        new("RFC 8656 §7.2", "REQUESTED-TRANSPORT of two octets", client =>
            client.Signed(StunMethod.Allocate, Value(StunAttributeType.RequestedTransport, 17, 0))),
        new("RFC 8656 §7.2", "DONT-FRAGMENT", client => client.Allocate(Value(StunAttributeType.DontFragment))),
        new("RFC 8656 §7.2", "EVEN-PORT", client => client.Allocate(Value(StunAttributeType.EvenPort, 0))),
        new("RFC 8656 §7.2", "EVEN-PORT, next port reserved", client => client.Allocate(Value(StunAttributeType.EvenPort, 0x80))),
        new("RFC 8656 §7.2", "RESERVATION-TOKEN that was never given", client =>
            client.Allocate(Value(StunAttributeType.ReservationToken, 1, 2, 3, 4, 5, 6, 7, 8)),
            "508 is the code (§7.2, 5); TURN has no 404."),
        new("RFC 8656 §7.2", "RESERVATION-TOKEN and EVEN-PORT", client =>
            client.Allocate(All(Value(StunAttributeType.ReservationToken, 1, 2, 3, 4, 5, 6, 7, 8), Value(StunAttributeType.EvenPort, 0)))),
        new("RFC 8656 §7.2", "REQUESTED- and ADDITIONAL-ADDRESS-FAMILY", client =>
            client.Allocate(All(Family(StunAttributeType.RequestedAddressFamily, 1), Family(StunAttributeType.AdditionalAddressFamily, 2))),
            "They exclude each other (§7.2, 6); coturn takes one of them."),
        new("RFC 8656 §7.2", "REQUESTED-ADDRESS-FAMILY 7", client => client.Allocate(Family(StunAttributeType.RequestedAddressFamily, 7))),
        new("RFC 8656 §7.2", "IPv6, which the server does not relay", client =>
            client.Allocate(Family(StunAttributeType.RequestedAddressFamily, 2))),
        new("RFC 8656 §7.2", "ADDITIONAL-ADDRESS-FAMILY IPv4", client =>
            client.Allocate(Family(StunAttributeType.AdditionalAddressFamily, 1)),
            "It may only be IPv6 (§7.2, 9); coturn does not look."),
        new("RFC 8656 §7.2", "ADDITIONAL-ADDRESS-FAMILY IPv6, which the server does not relay", client =>
            client.Allocate(Family(StunAttributeType.AdditionalAddressFamily, 2)),
            "ADDRESS-ERROR-CODE says what is missing (§7.2, 9); coturn leaves it out where a family is not configured."),
        new("RFC 8656 §5", "Refresh without an allocation", client => client.Signed(StunMethod.Refresh)),
        new("RFC 8656 §5", "Refresh by another user", client =>
            Then(client.Allocate(), client.Signed(StunMethod.Refresh, null, Password("u2")))),
        new("RFC 8656 §8.2", "Refresh, LIFETIME 0", client => Then(client.Allocate(), client.Signed(StunMethod.Refresh, Lifetime(0)))),
        new("RFC 8656 §8.2", "Refresh of a family that is not there", client =>
            Then(client.Allocate(), client.Signed(StunMethod.Refresh, Family(StunAttributeType.RequestedAddressFamily, 2)))),
        new("RFC 8656 §10.2", "CreatePermission", client =>
            Then(client.Allocate(), client.Signed(StunMethod.CreatePermission, To(PeerAddress)))),
        new("RFC 8656 §10.2", "CreatePermission without a peer", client =>
            Then(client.Allocate(), client.Signed(StunMethod.CreatePermission))),
        new("RFC 8656 §10.2", "CreatePermission for an IPv6 peer", client =>
            Then(client.Allocate(), client.Signed(StunMethod.CreatePermission, To("[2001:db8::9]:7000")))),
        new("RFC 8656 §10.2", "CreatePermission for 0.0.0.0", client =>
            Then(client.Allocate(), client.Signed(StunMethod.CreatePermission, To("0.0.0.0:7000")))),
        new("RFC 8656 §10.2", "CreatePermission for 224.0.0.1", client =>
            Then(client.Allocate(), client.Signed(StunMethod.CreatePermission, To("224.0.0.1:7000"))),
            "Local policy (§10.2): multicast is denied; coturn needs --no-multicast-peers for that."),
        new("RFC 8656 §10.2", "CreatePermission for 169.254.169.254", client =>
            Then(client.Allocate(), client.Signed(StunMethod.CreatePermission, To("169.254.169.254:80"))),
            "Local policy (§10.2, §21.3.1): link-local addresses, the metadata service of clouds among them, are denied; coturn needs a deny list."),
        new("RFC 8656 §12.2", "ChannelBind 0x4000", client => Then(client.Allocate(), Bind(client, 0x4000, PeerAddress))),
        new("RFC 8656 §12.2", "ChannelBind 0x3FFF", client => Then(client.Allocate(), Bind(client, 0x3FFF, PeerAddress))),
        new("RFC 8656 §12.2", "ChannelBind 0x5000", client => Then(client.Allocate(), Bind(client, 0x5000, PeerAddress)),
            "RFC 8656 §12 ends the range at 0x4FFF; coturn 4.6 keeps that of RFC 5766."),
        new("RFC 8656 §12.2", "ChannelBind again", client =>
            Then(client.Allocate(), Bind(client, 0x4000, PeerAddress), Bind(client, 0x4000, PeerAddress))),
        new("RFC 8656 §12.2", "ChannelBind, another peer", client =>
            Then(client.Allocate(), Bind(client, 0x4000, PeerAddress), Bind(client, 0x4000, "127.0.0.1:7001"))),
        new("RFC 8656 §12.2", "ChannelBind, another number", client =>
            Then(client.Allocate(), Bind(client, 0x4000, PeerAddress), Bind(client, 0x4001, PeerAddress))),
        new("RFC 8656 §12.2", "ChannelBind without a peer", client =>
            Then(client.Allocate(), client.Signed(StunMethod.ChannelBind, Value(StunAttributeType.ChannelNumber, 0x40, 0, 0, 0)))),
        new("RFC 8656 §12.6", "ChannelData on a channel that is not bound", client =>
            Then(client.Allocate(), client.Send([0x40, 0, 0, 1, 1, 0, 0, 0]))),

        // Third-party authorization (RFC 7635). A mac_key that ends in four zeros means the same to coturn, which keys its HMAC with 16
        // octets.
        new("RFC 7635 §7", "Token", client => client.Allocate(null, Token())),
        new("RFC 7635 §7", "HMAC with all 20 octets of mac_key", client =>
            client.Allocate(null, Token(macKey: RandomNumberGenerator.GetBytes(20))),
            "mac_key is the key (§7); coturn cuts it to 16 octets (its issue 189)."),
        new("RFC 7635 §7", "HMAC with the first 16 octets of mac_key", client => client.Allocate(null, Truncated()),
            "mac_key is the key (§7); coturn cuts it to 16 octets (its issue 189)."),
        new("RFC 7635 App. B", "mac_key of 32 octets", client => client.Allocate(null, Token(macKey: RandomNumberGenerator.GetBytes(32))),
            "Appendix B has keys of 256 bits; coturn accepts only 160."),
        new("RFC 7635 §7", "Unknown kid", client => client.Allocate(null, Token() with { Username = "k9"u8.ToArray() })),
        new("RFC 7635 §7", "Token for another server", client => client.Allocate(null, Token(serverName: "turn2.differential.example"))),
        new("RFC 7635 §7", "Token 700 s old that lives 600 s", client => client.Allocate(null, Token(age: 700))),
        new("RFC 7635 §7", "Token from an hour ahead", client => client.Allocate(null, Token(age: -3600)),
            "The distance to now is bounded in both directions (§7); coturn does not look ahead."),
        new("RFC 7635 §6.2", "Token with lifetime 0", client => client.Allocate(null, Token(age: 3600, lifetime: 0)),
            "Its time is over (§7); to coturn 0 is for ever."),
        new("RFC 7635 §9", "Token that lives 60 s, 600 s asked for", client =>
            UpTo(60, client.Allocate(Lifetime(600), Token(lifetime: 60))),
            "No lifetime goes past the token's (§9); coturn adds the allowance for clocks."),
        new("RFC 7635 §7", "kid without a token", client => client.Allocate(null, Token() with { Token = null })),
        new("RFC 7635 §9", "Refresh with another token", client =>
            Then(client.Allocate(null, Token()), client.Signed(StunMethod.Refresh, null, Token()))),
        new("RFC 7635 §9", "Allocate of a second client with the same token", SameToken),
    ];

    private static byte[] Binding() => Plain(StunMethod.Binding);

    private static byte[] Changed(byte[] packet, int index, byte value)
    {
        packet[index] = value;
        return packet;
    }

    private static byte[] WrongFingerprint()
    {
        var packet = Plain(StunMethod.Binding, (ref StunMessageWriter request) => request.AddFingerprint());
        packet[^1] ^= 1;
        return packet;
    }

    private static string Then(params string[] answers) => answers[^1];

    // What goes beyond differs by a second with the time of day.
    private static string UpTo(int seconds, string answer) =>
        answer.Split("LIFETIME ") is [var said, var lifetime]
            && int.Parse(lifetime, System.Globalization.CultureInfo.InvariantCulture) > seconds
            ? $"{said}LIFETIME beyond {seconds}"
            : answer;

    private static string Retransmission(RawClient client)
    {
        var packet = client.BuildSigned(StunMethod.Allocate, UdpTransport);
        return Then(client.Send(packet), client.Send(packet));
    }

    private static string SameToken(RawClient client)
    {
        var token = Token();
        return Then(client.Allocate(null, token), client.Another().Allocate(null, token));
    }

    private static string Bind(RawClient client, ushort channel, string peer) => client.Signed(
        StunMethod.ChannelBind, All(Value(StunAttributeType.ChannelNumber, (byte)(channel >> 8), (byte)channel, 0, 0), To(peer)));

    private static WriteAttributes Unknown(ushort type) => Value((StunAttributeType)type, 1, 2, 3, 4);

    private static WriteAttributes Family(StunAttributeType type, byte family) => Value(type, family, 0, 0, 0);

    private static WriteAttributes To(string peer) => Peer(IPEndPoint.Parse(peer));

    private static StunCredential Password(string user = "u", string password = "p") => StunCredential.Password(user, password);

    private static StunCredential Token(byte[]? macKey = null, string serverName = ServerName, double age = 0, uint lifetime = 600)
    {
        macKey ??= [.. RandomNumberGenerator.GetBytes(16), 0, 0, 0, 0];
        var token = new byte[AccessToken.MaxEncodedLength];
        var made = TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow().AddSeconds(-age));
        var length =
            Key.Encrypt(
                new AccessToken(macKey, made, lifetime), RandomNumberGenerator.GetBytes(12), Encoding.UTF8.GetBytes(serverName), token);
        return StunCredential.NativeTokenWithSha1(KeyId, token[..length], macKey);
    }

    private static StunCredential Truncated()
    {
        var macKey = RandomNumberGenerator.GetBytes(20);
        return StunCredential.NativeToken(KeyId, Token(macKey).Token!, macKey[..16]);
    }
}
