using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>What a client signs with: one of every kind of credential that the server takes.</summary>
internal sealed class ClientCredential
{
    /// <summary>When the histories begin and the tokens were made.</summary>
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private const string Realm = "example.org";
    private const string ServerName = "turn.example.org";
    private const string Secret = "shared";

    private static readonly AccessTokenKey K1 = new("k1", AccessTokenAlgorithm.A256Gcm, new byte[32]);
    private static readonly AccessTokenKey K2 = new("k2", AccessTokenAlgorithm.A128Gcm, new byte[16]);

    private readonly byte[] _username;
    private readonly byte[] _sha1Key;
    private readonly byte[]? _sha256Key;
    private readonly byte[]? _token;

    private ClientCredential(byte[] username, byte[] sha1Key, byte[]? sha256Key = null, byte[]? token = null)
    {
        _username = username;
        _sha1Key = sha1Key;
        _sha256Key = sha256Key;
        _token = token;
    }

    public static AuthenticationSettings Settings { get; } = new(
        ServerName, Realm, BrowserProfile: true,
        [Credential.FromStaticUser("alice", "secret", Realm), Credential.FromStaticUser("bob", "secret", Realm)],
        Encoding.UTF8.GetBytes(Secret));

    public static AccessTokenKeyRing Keys { get; } = new([K1, K2]);

    public static IReadOnlyList<ClientCredential> All { get; } =
    [
        Password("alice"u8.ToArray(), "secret"u8), Password("bob"u8.ToArray(), "secret"u8), Token(K1, 20, 600), Token(K2, 32, 3600),
        Browser(),
        Ephemeral(), new("mallory"u8.ToArray(), new byte[20]),
    ];

    /// <summary>Adds USERNAME, REALM, NONCE, the token and the strongest integrity.</summary>
    public void Sign(ref StunMessageWriter request, ReadOnlySpan<byte> nonce, bool withToken)
    {
        request.Write(StunAttributeType.Username, _username);
        request.Write(StunAttributeType.Realm, Encoding.ASCII.GetBytes(Realm));
        request.Write(StunAttributeType.Nonce, nonce);
        if (withToken && _token is not null) request.Write(StunAttributeType.AccessToken, _token);
        if (_sha256Key is not null) request.AddMessageIntegritySha256(_sha256Key);
        else request.AddMessageIntegrity(_sha1Key);
    }

    private static ClientCredential Password(byte[] username, ReadOnlySpan<byte> password)
    {
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(username, Encoding.ASCII.GetBytes(Realm), password, key);
        return new(username, key);
    }

    private static ClientCredential Token(AccessTokenKey key, int macKeyLength, uint lifetime)
    {
        var (macKey, token) = NewToken(key, macKeyLength, lifetime);
        return new(key.KeyIdOctets.ToArray(), macKey, macKeyLength == 32 ? macKey : null, token);
    }

    private static ClientCredential Browser()
    {
        var (macKey, token) = NewToken(K1, 20, 900);
        return Password(
            Encoding.ASCII.GetBytes($"k1~{System.Buffers.Text.Base64Url.EncodeToString(token)}"),
            Encoding.ASCII.GetBytes(Convert.ToBase64String(macKey)));
    }

    private static ClientCredential Ephemeral()
    {
        var username = Encoding.ASCII.GetBytes($"{Start.AddMinutes(20).ToUnixTimeSeconds()}:carol");
        return Password(
            username, Encoding.ASCII.GetBytes(Convert.ToBase64String(HMACSHA1.HashData(Encoding.ASCII.GetBytes(Secret), username))));
    }

    private static (byte[] MacKey, byte[] Token) NewToken(AccessTokenKey key, int macKeyLength, uint lifetime)
    {
        var macKey = new byte[macKeyLength];
        macKey.AsSpan().Fill(0x5A);
        var token = new byte[AccessToken.MaxEncodedLength];
        var nonce = new byte[12];
        nonce[0] = (byte)macKeyLength;
        nonce[1] = (byte)lifetime;
        var length =
            key.Encrypt(
                new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(Start), lifetime), nonce, Encoding.ASCII.GetBytes(ServerName),
                token);
        return (macKey, token[..length]);
    }
}
