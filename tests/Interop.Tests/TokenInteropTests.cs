using System.Globalization;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>Tokens of this project and of coturn are the same octets, both ways (RFC 7635 §6.2).</summary>
public sealed class TokenInteropTests
{
    private static readonly byte[] ServerName = Encoding.ASCII.GetBytes(CoturnKeys.ServerName);

    public static TheoryData<string, int, string, ulong, uint> Tokens => new()
    {
        { "north", 20, "0102030405060708090a0b0c", 111411200000000, 600 },
        { "union", 20, "f1e2d3c4b5a6978879615243", 111411200032000, 1800 },
        { "oldempire", 32, "a0a1a2a3a4a5a6a7a8a9aaab", 268857822412800, 86400 },
        { "north", 32, "ffffffffffffffffffffffff", 111411200063999, 4294967295 },
    };

    [Theory]
    [MemberData(nameof(Tokens))]
    [Requirement("RFC7635-6.2")]
    public async Task TokenOfCoturn_IsOursOctetForOctet(string kid, int macKeyLength, string nonce, ulong timestamp, uint lifetime)
    {
        var theirs = await OAuthTool.EncryptAsync(kid, Convert.FromHexString(nonce), MacKey(macKeyLength), timestamp, lifetime);

        Assert.Equal(Convert.ToHexString(Ours(kid, macKeyLength, nonce, timestamp, lifetime)), Convert.ToHexString(theirs));
        using var key = CoturnKeys.Key(kid);
        Assert.Equal(AccessTokenStatus.Valid, key.TryDecrypt(theirs, ServerName, out var token));
        Assert.Equal(MacKey(macKeyLength), token.MacKey.ToArray());
        Assert.Equal((timestamp, lifetime), (token.Timestamp.Raw, token.LifetimeSeconds));
    }

    [Theory]
    [MemberData(nameof(Tokens))]
    [Requirement("RFC7635-6.2")]
    public async Task TokenOfOurs_IsReadByCoturn_AndUnderAnotherNameRefused(
        string kid, int macKeyLength, string nonce, ulong timestamp, uint lifetime)
    {
        var ours = Ours(kid, macKeyLength, nonce, timestamp, lifetime);
        var read = await OAuthTool.DecryptAsync(kid, ours);
        var foreign = await OAuthTool.DecryptAsync(kid, ours, "example.com");

        Assert.Contains("-=Valid token!=-", read.Output, StringComparison.Ordinal);
        Assert.Contains($"mac key: {Encoding.Latin1.GetString(MacKey(macKeyLength))}\n", read.Output, StringComparison.Ordinal);
        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"unixtime: {timestamp >> 16} "), read.Output, StringComparison.Ordinal);
        Assert.Contains("token integrity check failed", foreign.Output, StringComparison.Ordinal);
    }

    private static byte[] MacKey(int length) => [.. Enumerable.Range('A', length).Select(i => (byte)i)];

    private static byte[] Ours(string kid, int macKeyLength, string nonce, ulong timestamp, uint lifetime)
    {
        var token = new byte[AccessToken.MaxEncodedLength];
        using var key = CoturnKeys.Key(kid);
        var length = key.Encrypt(
            new AccessToken(MacKey(macKeyLength), new TokenTimestamp(timestamp), lifetime), Convert.FromHexString(nonce), ServerName,
            token);
        return token[..length];
    }
}
