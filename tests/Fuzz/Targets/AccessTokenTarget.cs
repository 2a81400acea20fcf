using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// A token as it comes, which must not decrypt; then the same octets as the content of a token that does, so that the fields
/// behind the encryption are also reached; then a token made of the octets, which must come back.
/// </summary>
internal static class AccessTokenTarget
{
    private const int TagLength = 16;

    private static readonly byte[] Octets = Enumerable.Range(1, 32).Select(i => (byte)i).ToArray();
    private static readonly AccessTokenKey Key = new("kid", AccessTokenAlgorithm.A256Gcm, Octets);
    private static readonly System.Security.Cryptography.AesGcm Aes = new(Octets, TagLength);

    public static void Run(byte[] octets)
    {
        AccessTokenKey.TryGetNonce(octets, out var nonce);
        FindingException.ThrowUnless(nonce.Length is 0 or 12, "a nonce has twelve octets");
        FindingException.ThrowUnless(
            Key.TryDecrypt(octets, "turn.example.org"u8, out _) != AccessTokenStatus.Valid, "nobody guesses a token");
        ReadContent(octets);
        MakeToken(octets);
    }

    private static void ReadContent(ReadOnlySpan<byte> content)
    {
        if (content.Length > 4096) return;
        var token = new byte[2 + 12 + content.Length + TagLength];
        token[1] = 12;
        Aes.Encrypt(
            token.AsSpan(2, 12), content, token.AsSpan(14, content.Length), token.AsSpan(14 + content.Length), "turn.example.org"u8);
        if (Key.TryDecrypt(token, "turn.example.org"u8, out var read) != AccessTokenStatus.Valid) return;
        FindingException.ThrowUnless(content.Length == 2 + read.MacKey.Length + 8 + 4, "a valid token has nothing more than its fields");
        FindingException.ThrowUnless(content.Slice(2, read.MacKey.Length).SequenceEqual(read.MacKey), "mac_key is what stands there");
        Remaining(read);
    }

    private static void MakeToken(ReadOnlySpan<byte> octets)
    {
        var script = new Script(octets);
        var macKey = new byte[(script.Byte() & 1) == 0 ? AccessToken.Sha1MacKeyLength : AccessToken.Sha256MacKeyLength];
        var timestamp =
            new TokenTimestamp(
                ((ulong)script.UInt16() << 48) | ((ulong)script.UInt16() << 32) | ((ulong)script.UInt16() << 16) | script.UInt16());
        var lifetime = ((uint)script.UInt16() << 16) | script.UInt16();
        script.Read(macKey.Length).CopyTo(macKey);
        var made = new AccessToken(macKey, timestamp, lifetime);
        var token = new byte[AccessToken.MaxEncodedLength];
        var length = Key.Encrypt(made, Octets.AsSpan(0, 12), "turn.example.org"u8, token);

        var status = Key.TryDecrypt(token.AsSpan(0, length), "turn.example.org"u8, out var read);
        var expected = timestamp.IsDefined ? AccessTokenStatus.Valid : AccessTokenStatus.UnsupportedContent;
        FindingException.ThrowUnless(status == expected, "a token that was made can be read, if its time is one");
        if (status != AccessTokenStatus.Valid) return;
        FindingException.ThrowUnless(read.MacKey.SequenceEqual(macKey), "mac_key comes back");
        FindingException.ThrowUnless(read.LifetimeSeconds == lifetime && read.Timestamp == timestamp, "timestamp and lifetime come back");
        Remaining(read);
        if (octets.IsEmpty) return;
        token[octets[^1] % length] ^= 0x40;
        FindingException.ThrowUnless(
            Key.TryDecrypt(token.AsSpan(0, length), "turn.example.org"u8, out _) != AccessTokenStatus.Valid, "a changed token is refused");
    }

    private static void Remaining(in AccessToken token)
    {
        var bound = (long)token.LifetimeSeconds + (long)AccessToken.ClockDelta.TotalSeconds;
        foreach (var now in (DateTimeOffset[])[DateTimeOffset.MinValue, DateTimeOffset.UnixEpoch, new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
            DateTimeOffset.MaxValue])
            FindingException.ThrowUnless(
                token.RemainingSeconds(now) <= bound, "no token lives longer than its lifetime and the clocks' difference");
    }
}
