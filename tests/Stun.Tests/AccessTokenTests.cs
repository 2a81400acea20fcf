using System.Buffers.Binary;
using System.Security.Cryptography;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Stun.Tests;

/// <summary>The self-contained token of RFC 7635 §6.2.</summary>
public sealed class AccessTokenTests
{
    private static readonly DateTimeOffset Made = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static TheoryData<TokenVector> Vectors => Tests.Vectors.Tokens;

    [Theory]
    [MemberData(nameof(Vectors))]
    [Requirement("RFC7635-6.2")]
    [Requirement("RFC7635-A")]
    [Requirement("TURN-F6")]
    public void Vector_IsDecrypted(TokenVector vector)
    {
        using var key = Key(vector);

        Assert.Equal(AccessTokenStatus.Valid, key.TryDecrypt(vector.TokenOctets, vector.ServerNameOctets, out var token));
        Assert.Equal(vector.MacKey, Convert.ToHexStringLower(token.MacKey));
        Assert.Equal(vector.Timestamp, token.Timestamp.Raw);
        Assert.Equal(vector.Lifetime, token.LifetimeSeconds);
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    [Requirement("RFC7635-6.2")]
    [Requirement("RFC7635-A")]
    [Requirement("TURN-F6")]
    public void Vector_IsEncryptedOctetForOctet(TokenVector vector)
    {
        using var key = Key(vector);
        var destination = new byte[AccessToken.MaxEncodedLength];
        var token = new AccessToken(Convert.FromHexString(vector.MacKey), new TokenTimestamp(vector.Timestamp), vector.Lifetime);

        var length = key.Encrypt(token, Convert.FromHexString(vector.Nonce), vector.ServerNameOctets, destination);

        Assert.Equal(vector.Token, Convert.ToHexStringLower(destination.AsSpan(0, length)));
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    [Requirement("RFC7635-7")]
    [Requirement("ABUSE-37")]
    public void AnyFlippedBit_IsRefused(TokenVector vector)
    {
        using var key = Key(vector);
        var token = vector.TokenOctets;
        for (var bit = 0; bit < token.Length * 8; bit++)
        {
            token[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(AccessTokenStatus.Valid, key.TryDecrypt(token, vector.ServerNameOctets, out _));
            token[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    [Requirement("ABUSE-37")]
    [Requirement("RFC7635-6.2")]
    public void AnotherServerName_IsRefused(TokenVector vector)
    {
        using var key = Key(vector);

        Assert.Equal(AccessTokenStatus.NotAuthentic, key.TryDecrypt(vector.TokenOctets, "turn2.example.org"u8, out _));
        Assert.Equal(AccessTokenStatus.NotAuthentic, key.TryDecrypt(vector.TokenOctets, [.. vector.ServerNameOctets, 0], out _));
        Assert.Equal(AccessTokenStatus.NotAuthentic, key.TryDecrypt(vector.TokenOctets, [], out _));
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    [Requirement("ABUSE-35")]
    public void AnyOtherLength_IsRefused(TokenVector vector)
    {
        using var key = Key(vector);
        for (var length = 0; length < vector.TokenOctets.Length; length++)
            Assert.NotEqual(AccessTokenStatus.Valid, key.TryDecrypt(vector.TokenOctets.AsSpan(0, length), vector.ServerNameOctets, out _));
        Assert.NotEqual(AccessTokenStatus.Valid, key.TryDecrypt([.. vector.TokenOctets, 0], vector.ServerNameOctets, out _));
        Assert.Equal(AccessTokenStatus.Malformed, key.TryDecrypt(new byte[65535], vector.ServerNameOctets, out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    [InlineData(13)]
    [InlineData(63)]
    [InlineData(65535)]
    [Requirement("ABUSE-35")]
    [Requirement("ABUSE-36")]
    public void NonceLengthOtherThan12_IsRefusedBeforeAnythingIsDecrypted(ushort nonceLength)
    {
        var vector = ((ITheoryDataRow)Vectors.First()).GetData()[0] as TokenVector;
        using var key = Key(vector!);
        var token = vector!.TokenOctets;
        BinaryPrimitives.WriteUInt16BigEndian(token, nonceLength);

        Assert.Equal(AccessTokenStatus.Malformed, key.TryDecrypt(token, vector.ServerNameOctets, out _));
    }

    [Theory]
    [InlineData(20, 19)]
    [InlineData(20, 21)]
    [InlineData(20, 0)]
    [InlineData(20, 32)]
    [InlineData(32, 20)]
    [InlineData(24, 24)]
    [InlineData(20, 65535)]
    [Requirement("ABUSE-38")]
    public void AuthenticTokenWithAnotherKeyLength_IsRefused(int octets, ushort keyLength)
    {
        Assert.Equal(AccessTokenStatus.UnsupportedContent,
            Decrypt(Block(octets, keyLength, TokenTimestamp.FromDateTimeOffset(Made).Raw, 600)));
    }

    [Theory]
    [InlineData(0UL, AccessTokenStatus.Valid)]
    [InlineData(63999UL, AccessTokenStatus.Valid)]
    [InlineData(64000UL, AccessTokenStatus.UnsupportedContent)]
    [InlineData(65535UL, AccessTokenStatus.UnsupportedContent)]
    [InlineData(ulong.MaxValue - 65535, AccessTokenStatus.UnsupportedContent)]
    [Requirement("RFC7635-6.2")]
    [Requirement("ABUSE-40")]
    public void TimestampOutsideItsDefinition_IsRefused(ulong raw, AccessTokenStatus status) =>
        Assert.Equal(status, Decrypt(Block(20, 20, raw, 600)));

    [Fact]
    [Requirement("RFC7635-6.2")]
    public void LastTickOfASecond_HasADefinedFraction()
    {
        var timestamp = TokenTimestamp.FromDateTimeOffset(Made.AddTicks(TimeSpan.TicksPerSecond - 1));

        Assert.Equal(63999u, timestamp.Raw & 0xFFFF);
        Assert.True(timestamp.IsDefined);
    }

    [Fact]
    [Requirement("RFC7635-6.2")]
    public void Timestamp_CountsIn64000thsOfASecond()
    {
        var time = Made.AddTicks(TimeSpan.TicksPerSecond / 2);
        var timestamp = TokenTimestamp.FromDateTimeOffset(time);

        Assert.Equal(32000u, timestamp.Raw & 0xFFFF);
        Assert.Equal((ulong)Made.ToUnixTimeSeconds(), timestamp.Raw >> 16);
        Assert.Equal(time, timestamp.ToDateTimeOffset());
    }

    [Theory]
    [InlineData(-5.0, 600u)]
    [InlineData(-5.1, 0u)]
    [InlineData(0.0, 600u)]
    [InlineData(5.0, 600u)]
    [InlineData(6.0, 599u)]
    [InlineData(600.0, 5u)]
    [InlineData(604.9, 1u)]
    [InlineData(605.0, 0u)]
    [InlineData(660.0, 0u)]
    [Requirement("RFC7635-7")]
    [Requirement("RFC7635-9")]
    [Requirement("ABUSE-39")]
    [Requirement("ABUSE-50")]
    public void RemainingSeconds_EndsFiveSecondsAfterTheLifetime_AndNeverExceedsIt(double age, uint remaining)
    {
        var token = new AccessToken(new byte[20], TokenTimestamp.FromDateTimeOffset(Made), 600);

        Assert.Equal(remaining, token.RemainingSeconds(Made.AddSeconds(age)));
    }

    [Theory]
    [InlineData(0u, 0u)]
    [InlineData(uint.MaxValue, uint.MaxValue - 95)]
    [Requirement("ABUSE-40")]
    public void ExtremeLifetime_DoesNotOverflow(uint lifetime, uint remaining)
    {
        var token = new AccessToken(new byte[20], TokenTimestamp.FromDateTimeOffset(Made), lifetime);

        Assert.Equal(remaining, token.RemainingSeconds(Made.AddSeconds(100)));
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public void KeyRing_FindsLiveKeysByKid()
    {
        using var old = new AccessTokenKey("old", AccessTokenAlgorithm.A256Gcm, new byte[32], Made);
        using var next = new AccessTokenKey("next", AccessTokenAlgorithm.A128Gcm, new byte[16]);
        var ring = new AccessTokenKeyRing([old, next]);

        Assert.Same(old, ring.Find("old"u8, Made));
        Assert.Null(ring.Find("old"u8, Made.AddTicks(1)));
        Assert.Same(next, ring.Find("next"u8, DateTimeOffset.MaxValue));
        Assert.Null(ring.Find("none"u8, Made));
        Assert.Contains("'old'", Assert.Throws<ArgumentException>(() => new AccessTokenKeyRing([old, old])).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 32)]
    [InlineData("with~tilde", 32)]
    [InlineData("k1", 31)]
    public void KeyThatCannotWork_IsRefused(string kid, int octets) =>
        Assert.Throws<ArgumentException>(() => new AccessTokenKey(kid, AccessTokenAlgorithm.A256Gcm, new byte[octets]));

    [Theory]
    [InlineData("A256GCM", true)]
    [InlineData("A128GCM", true)]
    [InlineData("A256CBC-HS512", false)]
    [InlineData("a256gcm", false)]
    [InlineData(null, false)]
    public void AlgorithmNames_AreThoseOfRfc7518(string? name, bool known)
    {
        Assert.Equal(known, AccessTokenAlgorithms.TryParse(name, out var algorithm));
        if (known) Assert.Equal(name, algorithm.Name());
    }

    private static AccessTokenKey Key(TokenVector vector)
    {
        Assert.True(AccessTokenAlgorithms.TryParse(vector.Algorithm, out var algorithm));
        return new AccessTokenKey("kid", algorithm, Convert.FromHexString(vector.Key));
    }

    private static byte[] Block(int macKeyOctets, ushort keyLength, ulong timestamp, uint lifetime)
    {
        var block = new byte[14 + macKeyOctets];
        BinaryPrimitives.WriteUInt16BigEndian(block, keyLength);
        BinaryPrimitives.WriteUInt64BigEndian(block.AsSpan(2 + macKeyOctets), timestamp);
        BinaryPrimitives.WriteUInt32BigEndian(block.AsSpan(10 + macKeyOctets), lifetime);
        return block;
    }

    // Encrypts content that the codec would not, as a faulty issuer with the key might.
    private static AccessTokenStatus Decrypt(byte[] block)
    {
        var secret = new byte[32];
        var token = new byte[14 + block.Length + 16];
        token[1] = 12;
        using var aead = new AesGcm(secret, 16);
        aead.Encrypt(token.AsSpan(2, 12), block, token.AsSpan(14, block.Length), token.AsSpan(14 + block.Length), "server"u8);
        using var key = new AccessTokenKey("kid", AccessTokenAlgorithm.A256Gcm, secret);
        return key.TryDecrypt(token, "server"u8, out _);
    }
}
