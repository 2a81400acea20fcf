using System.Buffers.Text;
using System.Security.Cryptography;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Tests.Common.Stun;

/// <summary>The credential of a test client. Tests can leave out or replace each attribute.</summary>
public sealed record StunCredential
{
    // The key for a realm. A token has one key for all realms.
    private readonly Func<byte[], byte[]> _key;

    private StunCredential(string username, Func<byte[], byte[]> key)
    {
        Username = StunRequest.Octets(username);
        _key = key;
    }

    /// <summary>USERNAME; absent if null.</summary>
    public byte[]? Username { get; init; }

    /// <summary>REALM: from the challenge if null, absent if empty.</summary>
    public byte[]? Realm { get; init; }

    /// <summary>NONCE: from the challenge if null, absent if empty.</summary>
    public byte[]? Nonce { get; init; }

    /// <summary>ACCESS-TOKEN of Allocate and Refresh (RFC 7635 §9); absent if null.</summary>
    public byte[]? Token { get; init; }

    /// <summary>PASSWORD-ALGORITHM; absent if 0.</summary>
    public byte PasswordAlgorithm { get; init; }

    /// <summary>Whether the integrity is MESSAGE-INTEGRITY-SHA256.</summary>
    public bool IsSha256 { get; init; }

    /// <summary>Attributes after the integrity.</summary>
    public WriteAttributes? AfterIntegrity { get; init; }

    /// <summary>The long-term credential with MD5 (RFC 8489 §9.2.2).</summary>
    public static StunCredential Password(string user, string password) => new(user, realm =>
    {
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(StunRequest.Octets(user), realm, StunRequest.Octets(password), key);
        return key;
    });

    /// <summary>The long-term credential with SHA-256, as PASSWORD-ALGORITHMS offers it (RFC 8489 §9.2.2).</summary>
    public static StunCredential PasswordSha256(string user, string password) =>
        new(user, realm => SHA256.HashData([.. StunRequest.Octets($"{user}:"), .. realm, .. StunRequest.Octets($":{password}")]))
        {
            IsSha256 = true,
            PasswordAlgorithm = 2,
        };

    /// <summary>A password that is derived from the user name and a shared secret, as TURN REST APIs do.</summary>
    public static StunCredential Ephemeral(string user, string secret) =>
        Password(user, Convert.ToBase64String(HMACSHA1.HashData(StunRequest.Octets(secret), StunRequest.Octets(user))));

    /// <summary>A token in ACCESS-TOKEN. The key of the HMAC is mac_key itself (RFC 7635 §7).</summary>
    public static StunCredential NativeToken(string kid, byte[] token, byte[] macKey) =>
        new(kid, _ => macKey) { Token = token, IsSha256 = macKey.Length == 32 };

    /// <summary>A token with MESSAGE-INTEGRITY, which needs the SHA-1 hash of a 256-bit mac_key (RFC 7635 Appendix B).</summary>
    public static StunCredential NativeTokenWithSha1(string kid, byte[] token, byte[] macKey) =>
        NativeToken(kid, token, macKey.Length == 32 ? SHA1.HashData(macKey) : macKey);

    /// <summary>A token in the user name, as browsers send it.</summary>
    public static StunCredential BrowserToken(string kid, byte[] token, byte[] macKey) =>
        Password($"{kid}~{Base64Url.EncodeToString(token)}", Convert.ToBase64String(macKey));

    public byte[] KeyFor(StunChallenge challenge) => _key(challenge.Realm);

    /// <summary>Adds the attributes of the credential and the integrity.</summary>
    public void Sign(ref StunMessageWriter request, StunMethod method, StunChallenge challenge)
    {
        if (Username is not null) request.Write(StunAttributeType.Username, Username);
        WriteUnlessEmpty(ref request, StunAttributeType.Realm, Realm ?? challenge.Realm);
        WriteUnlessEmpty(ref request, StunAttributeType.Nonce, Nonce ?? challenge.Nonce);
        if (PasswordAlgorithm != 0)
        {
            request.Write(StunAttributeType.PasswordAlgorithms, [0, 2, 0, 0, 0, 1, 0, 0]);
            request.Write(StunAttributeType.PasswordAlgorithm, [0, PasswordAlgorithm, 0, 0]);
        }

        if (Token is not null && method is (StunMethod.Allocate or StunMethod.Refresh)) request.Write(StunAttributeType.AccessToken, Token);
        if (IsSha256) request.AddMessageIntegritySha256(KeyFor(challenge));
        else request.AddMessageIntegrity(KeyFor(challenge));
        AfterIntegrity?.Invoke(ref request);
    }

    /// <summary>Whether an answer has the same integrity attribute and a valid HMAC.</summary>
    public bool Verifies(in StunMessageReader answer, StunChallenge challenge) => IsSha256
        ? answer.VerifyMessageIntegritySha256(KeyFor(challenge))
        : answer.VerifyMessageIntegrity(KeyFor(challenge));

    private static void WriteUnlessEmpty(ref StunMessageWriter request, StunAttributeType type, byte[] value)
    {
        if (value.Length > 0) request.Write(type, value);
    }
}
