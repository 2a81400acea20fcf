using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>The settings of the engines, and one credential of every kind that they accept.</summary>
internal static class EngineCredentials
{
    /// <summary>The beginning of each history, when the tokens are issued.</summary>
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private const string ServerName = "turn.example.org";
    private const string Secret = "shared";

    private static readonly AccessTokenKey K1 = new("k1", AccessTokenAlgorithm.A256Gcm, new byte[32]);
    private static readonly AccessTokenKey K2 = new("k2", AccessTokenAlgorithm.A128Gcm, new byte[16]);

    public static string Realm => "example.org";

    public static AuthenticationSettings Settings { get; } = new(
        ServerName, Realm, BrowserProfile: true,
        [Credential.FromStaticUser("alice", "secret", Realm), Credential.FromStaticUser("bob", "secret", Realm)],
        Encoding.UTF8.GetBytes(Secret));

    public static AccessTokenKeyRing Keys { get; } = new([K1, K2]);

    public static IReadOnlyList<StunCredential> All { get; } =
    [
        StunCredential.Password("alice", "secret"),
        StunCredential.Password("bob", "secret"),
        StunCredential.NativeToken("k1", Token(K1, 20, 600), MacKey(20)),
        StunCredential.NativeToken("k2", Token(K2, 32, 3600), MacKey(32)),
        StunCredential.BrowserToken("k1", Token(K1, 20, 900), MacKey(20)),
        StunCredential.Ephemeral($"{Start.AddMinutes(20).ToUnixTimeSeconds()}:carol", Secret),
        StunCredential.Password("mallory", "unknown"),
    ];

    private static byte[] MacKey(int length) => [.. Enumerable.Repeat((byte)0x5A, length)];

    private static byte[] Token(AccessTokenKey key, int macKeyLength, uint lifetime)
    {
        var token = new byte[AccessToken.MaxEncodedLength];
        var nonce = new byte[12];
        nonce[0] = (byte)macKeyLength;
        nonce[1] = (byte)lifetime;
        var content = new AccessToken(MacKey(macKeyLength), TokenTimestamp.FromDateTimeOffset(Start), lifetime);
        return token[..key.Encrypt(content, nonce, Encoding.ASCII.GetBytes(ServerName), token)];
    }
}
