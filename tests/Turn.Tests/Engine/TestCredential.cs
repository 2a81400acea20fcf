using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Integrity;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>What a client signs with; made here from the RFCs' words, not by the server's code.</summary>
/// <param name="Username">USERNAME.</param>
/// <param name="Key">The key of the HMAC.</param>
/// <param name="IsSha256">MESSAGE-INTEGRITY-SHA256 rather than MESSAGE-INTEGRITY.</param>
/// <param name="Token">ACCESS-TOKEN, or none.</param>
/// <param name="PasswordAlgorithm">PASSWORD-ALGORITHM to name, or 0 to name none.</param>
internal sealed record TestCredential(
    string Username, byte[] Key, bool IsSha256 = false, byte[]? Token = null, ushort PasswordAlgorithm = 0)
{
    /// <summary>RFC 8489 §9.2.2 with MD5.</summary>
    public static TestCredential Password(string user, string password)
    {
        var key = new byte[16];
        LongTermKey.ComputeMd5(
            Encoding.UTF8.GetBytes(user), Encoding.UTF8.GetBytes(EngineBench.Realm), Encoding.UTF8.GetBytes(password), key);
        return new TestCredential(user, key);
    }

    /// <summary>RFC 8489 §9.2.2 with SHA-256, as PASSWORD-ALGORITHMS offers it.</summary>
    public static TestCredential PasswordSha256(string user, string password) => new(
        user,
        SHA256.HashData(Encoding.UTF8.GetBytes($"{user}:{EngineBench.Realm}:{password}")),
        IsSha256: true,
        PasswordAlgorithm: 2);
}

/// <summary>A token with its session key.</summary>
internal sealed record TestToken(string Kid, byte[] Octets, byte[] MacKey)
{
    /// <summary>RFC 7635 §7: the HMAC key is mac_key itself.</summary>
    public TestCredential Native => new(Kid, MacKey, IsSha256: MacKey.Length == 32, Octets);

    /// <summary>RFC 7635 Appendix B: of a 256-bit mac_key, MESSAGE-INTEGRITY takes the SHA-1 hash.</summary>
    public TestCredential NativeWithSha1 => new(Kid, MacKey.Length == 32 ? SHA1.HashData(MacKey) : MacKey, IsSha256: false, Octets);

    /// <summary>The token in USERNAME, base64 of mac_key as the password.</summary>
    public TestCredential Browser =>
        TestCredential.Password($"{Kid}~{Base64Url.EncodeToString(Octets)}", Convert.ToBase64String(MacKey));
}
