using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A long-term key that a running server also has. It makes tokens as the authorization server does.</summary>
internal sealed class TokenKey(string kid, AccessTokenAlgorithm algorithm = AccessTokenAlgorithm.A256Gcm)
{
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(algorithm == AccessTokenAlgorithm.A256Gcm ? 32 : 16);

    public string Kid { get; } = kid;

    /// <summary>As environment variables of a server.</summary>
    public (string Name, string Value)[] Settings(int index = 0) =>
        [($"Turn__Keys__{index}__Kid", Kid), ($"Turn__Keys__{index}__Key", Convert.ToBase64String(_key))];

    /// <summary>As an entry of Turn:KeysFile.</summary>
    public string Json(DateTimeOffset? notAfter = null) =>
        JsonSerializer.Serialize(new { Kid, Key = Convert.ToBase64String(_key), NotAfter = notAfter });

    /// <summary>As an entry of the response of the WAF.</summary>
    public LongTermKey Delivered(DateTimeOffset end) =>
        new(System.Buffers.Text.Base64Url.EncodeToString(_key), end.ToUnixTimeSeconds(), Kid, algorithm.Name());

    public TestCredentials Issue(uint lifetime = 600, TimeSpan age = default, string serverName = "turn.webrtcims.local")
    {
        var macKey = RandomNumberGenerator.GetBytes(32);
        var nonce = RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength);
        var octets = new byte[AccessToken.MaxEncodedLength];
        var made = TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow() - age);
        using var key = new AccessTokenKey(Kid, algorithm, _key);
        var length = key.Encrypt(new AccessToken(macKey, made, lifetime), nonce, Encoding.UTF8.GetBytes(serverName), octets);
        return new TestCredentials(Kid, System.Buffers.Text.Base64Url.EncodeToString(nonce), octets[..length], macKey);
    }
}

/// <summary>A token of a running server.</summary>
internal sealed record TestCredentials(string Kid, string TokenId, byte[] Token, byte[] MacKey)
{
    public TurnCredential Native => TurnCredential.AccessToken(Kid, Token, MacKey);

    /// <summary>As a browser sends it: in the user name.</summary>
    public TurnCredential Browser => TurnCredential.LongTerm(
        $"{Kid}~{System.Buffers.Text.Base64Url.EncodeToString(Token)}", Convert.ToBase64String(MacKey));
}
