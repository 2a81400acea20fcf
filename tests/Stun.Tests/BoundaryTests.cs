using System.Buffers;
using System.IO.Hashing;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Stun.Tests;

/// <summary>The shortest, the longest and the absent value of each field. A mutation run found these untested.</summary>
public sealed class BoundaryTests
{
    private static readonly TransactionId Transaction = new(Convert.FromHexString("0102030405060708090a0b0c"));

    private static readonly byte[] Key = [1, 2, 3, 4];

    [Fact]
    public void MessageWithoutAttributes_IsAHeader()
    {
        var writer = NewMessage();

        Assert.Equal(20, writer.Length);
        var message = Read(writer.Written);
        Assert.False(message.HasMessageIntegrity);
        Assert.False(message.HasMessageIntegritySha256);
        Assert.False(message.VerifyMessageIntegrity(Key));
        Assert.False(message.VerifyMessageIntegritySha256(Key));
        Assert.False(message.GetEnumerator().MoveNext());
        Assert.False(default(StunAttributeEnumerator).MoveNext());
        Assert.False(new StunAttributeEnumerator([]).MoveNext());
    }

    [Fact]
    public void HeaderInAUsedBuffer_HasLengthZero()
    {
        var buffer = new byte[64];
        Array.Fill(buffer, (byte)0xFF);

        Assert.Equal([0, 0], new StunMessageWriter(buffer, StunMethod.Binding, StunClass.Request, Transaction).Written[2..4].ToArray());
    }

    [Fact]
    public void AttributesBehindTheEnd_AreNotSeen_ButThoseBeforeAre()
    {
        foreach (var (sha1, sha256) in new[] { (true, false), (false, true), (true, true) })
        {
            var writer = NewMessage();
            writer.WriteUInt32(StunAttributeType.Lifetime, 600);
            if (sha1) writer.AddMessageIntegrity(Key);
            if (sha256) writer.AddMessageIntegritySha256(Key);
            writer.AddFingerprint();

            var message = Read(writer.Written);
            Assert.Equal(sha1, message.HasMessageIntegrity);
            Assert.Equal(sha256, message.HasMessageIntegritySha256);
            Assert.Equal(sha1, message.VerifyMessageIntegrity(Key));
            Assert.Equal(sha256, message.VerifyMessageIntegritySha256(Key));
            Assert.Equal([StunAttributeType.Lifetime], TypesOf(message));
        }
    }

    [Fact]
    public void Fingerprint_EndsTheAttributes()
    {
        var writer = NewMessage();
        writer.WriteUInt32(StunAttributeType.Lifetime, 600);
        writer.AddFingerprint();

        Assert.Equal([StunAttributeType.Lifetime], TypesOf(Read(writer.Written)));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    [InlineData(5, false)]
    [InlineData(8, false)]
    public void Number_HasFourOctets(int length, bool found)
    {
        var writer = NewMessage();
        writer.Write(StunAttributeType.Lifetime, new byte[] { 0, 0, 2, 88, 1, 1, 1, 1 }.AsSpan(0, length));

        Assert.Equal(found, Read(writer.Written).TryGetUInt32(StunAttributeType.Lifetime, out var value));
        Assert.Equal(found ? 600u : 0u, value);
    }

    [Fact]
    public void AbsentNumber_IsNotFound() => Assert.False(Read(NewMessage().Written).TryGetUInt32(StunAttributeType.Lifetime, out _));

    [Theory]
    [InlineData("", 0, "")]
    [InlineData("000004", 0, "")]
    [InlineData("00000401", 401, "")]
    [InlineData("000004014e6f", 401, "No")]
    public void ErrorCode_HasFourOctetsAndAPhrase(string value, int code, string phrase)
    {
        var writer = NewMessage();
        writer.Write(StunAttributeType.ErrorCode, Convert.FromHexString(value));

        var message = Read(writer.Written);
        Assert.Equal(code, (int)message.ErrorCode);
        Assert.Equal(phrase, Encoding.UTF8.GetString(message.ReasonPhrase));
    }

    [Fact]
    public void AbsentErrorCode_IsNone()
    {
        Assert.Equal(StunError.None, Read(NewMessage().Written).ErrorCode);
        Assert.True(Read(NewMessage().Written).ReasonPhrase.IsEmpty);
    }

    [Fact]
    public void Address_IsWrittenPlain()
    {
        var writer = NewMessage();
        writer.WriteAddress(StunAttributeType.AlternateServer, TransportAddress.From(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 3478)));

        Assert.True(Read(writer.Written).TryGet(StunAttributeType.AlternateServer, out var value));
        Assert.Equal("00010d96c0000201", Convert.ToHexStringLower(value));
    }

    [Fact]
    public void UnknownAttributes_TakeTwoOctetsEach()
    {
        var writer = NewMessage();
        writer.WriteUnknownAttributes([(StunAttributeType)0x7001, (StunAttributeType)0x7002, (StunAttributeType)0x7003]);

        Assert.True(Read(writer.Written).TryGet(StunAttributeType.UnknownAttributes, out var value));
        Assert.Equal("700170027003", Convert.ToHexStringLower(value));
    }

    [Theory]
    [InlineData(0x7FFF, true)]
    [InlineData(0x8000, false)]
    public void ComprehensionRequired_EndsAt8000(ushort type, bool required) =>
        Assert.Equal(required, ((StunAttributeType)type).IsComprehensionRequired());

    [Fact]
    public void Texts_NameTheValue()
    {
        Assert.Equal("none", default(InternetAddress).ToString());
        Assert.Equal("0102030405060708090a0b0c", Transaction.ToString());
    }

    [Fact]
    public void NonceOfAToken_IsFoundInTheShortestOne()
    {
        byte[] token = [0, AccessTokenKey.NonceLength, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

        Assert.True(AccessTokenKey.TryGetNonce(token, out var nonce));
        Assert.Equal(token[2..], nonce.ToArray());
        Assert.False(AccessTokenKey.TryGetNonce(token.AsSpan(..13), out _));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void KeyId_HasOneTo128Octets(int length, bool valid)
    {
        AccessTokenKey Create() => new(new string('k', length), AccessTokenAlgorithm.A256Gcm, new byte[32]);

        if (!valid)
        {
            Assert.Contains("1 to 128", Assert.Throws<ArgumentException>(Create).Message);
            return;
        }

        using var key = Create();
        Assert.False(new AccessTokenKeyRing([key]).IsEmpty);
    }

    [Fact]
    public void KeyOfAnotherLength_IsRefused() => Assert.Contains(
        "32 octets", Assert.Throws<ArgumentException>(() => new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, new byte[31])).Message);

    [Fact]
    public void MacKeyOfAnotherLength_IsRefused() => Assert.Contains(
        "20 or 32", Assert.Throws<ArgumentException>(() => new AccessToken(new byte[21], default, 600)).Message);

    [Fact]
    public void KeyRingWithoutKeys_IsEmpty() => Assert.True(new AccessTokenKeyRing([]).IsEmpty);

    [Theory]
    [InlineData("k1~AQID", true, 2, 3)]
    [InlineData("k~", true, 1, 0)]
    [InlineData("~AQID", false, 0, 0)]
    [InlineData("AQIDAQID", false, -1, 0)]
    [InlineData("k1~A", false, 2, 0)]
    [InlineData("k1~AQ!D", false, 2, 0)]
    [InlineData("k1~AQID ", false, 2, 3)]
    [InlineData("k1~AQ ID", false, 2, 3)]
    [InlineData("k1~AQ\tI\nD", false, 2, 3)]
    [InlineData("k1~AQI=", false, 2, 2)]
    [InlineData("k1~AQJ", false, 2, 2)]
    [Requirement("CLIENT-8")]
    public void BrowserUserName_IsAKidAndAToken(string name, bool valid, int kid, int octets)
    {
        var token = new byte[BrowserUsername.MaxLength];

        Assert.Equal(valid,
            BrowserUsername.TryParse(Encoding.UTF8.GetBytes(name), token, out var keyIdLength, out var tokenLength));
        Assert.Equal(kid, keyIdLength);
        if (!valid) return;
        Assert.Equal(octets, tokenLength);
        Assert.Equal(new byte[] { 1, 2, 3 }[..octets], token[..tokenLength]);
    }

    /// <summary>The length of the body is that of an integrity value, and no integrity is there.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(28)]
    public void AbsentIntegrity_IsNotVerified_WhateverTheLengthOfTheMessage(int length)
    {
        var writer = NewMessage();
        writer.Write(StunAttributeType.Software, new byte[length]);
        var message = Read(writer.Written);

        Assert.False(message.VerifyMessageIntegrity(Key));
        Assert.False(message.VerifyMessageIntegritySha256(Key));
    }

    /// <summary>A message of a stream may be longer than any datagram.</summary>
    [Theory]
    [InlineData(2024)]
    [InlineData(2028)]
    [InlineData(60000)]
    [Requirement("RFC8489-14.5")]
    public void LongMessage_HasTheIntegrityOfItsWholeLength(int length)
    {
        var writer = new StunMessageWriter(new byte[length + 100], StunMethod.Binding, StunClass.Request, Transaction);
        writer.Write(StunAttributeType.Data, new byte[length]);
        writer.AddMessageIntegrity(Key);
        var octets = writer.Written.ToArray();

        Assert.Equal(HMACSHA1.HashData(Key, octets.AsSpan(0, octets.Length - 24)), octets[^20..]);
        Assert.True(Read(octets).VerifyMessageIntegrity(Key));
        octets[24] ^= 1;
        Assert.False(Read(octets).VerifyMessageIntegrity(Key));
    }

    /// <summary>The table of a CRC is what the CRC of each single octet says.</summary>
    [Fact]
    [Requirement("RFC8489-14.7")]
    public void TableOfTheFingerprint_IsThatOfCrc32()
    {
        var expected = Enumerable.Range(0, 256).Select(i => ~Crc32.HashToUInt32([(byte)(i ^ 0xFF)]) ^ 0x00FF_FFFF);

        Assert.Equal(expected, Fingerprint.MakeTable());
    }

    /// <summary>The pool gives a buffer back to the thread that returned it, so the next user of the pool would see the password.</summary>
    [Fact]
    public void Password_DoesNotStayInThePool()
    {
        var pooled = ArrayPool<byte>.Shared.Rent(100);
        Array.Fill(pooled, (byte)0xEE);
        ArrayPool<byte>.Shared.Return(pooled);
        LongTermKey.ComputeMd5(new byte[40], new byte[20], Encoding.ASCII.GetBytes(new string('s', 38)), new byte[LongTermKey.Md5Length]);

        var next = ArrayPool<byte>.Shared.Rent(100);
        Assert.Same(pooled, next);
        Assert.All(next[..100], octet => Assert.Equal(0, octet));
        ArrayPool<byte>.Shared.Return(next);
    }

    [Fact]
    [Requirement("RFC7635-6.2")]
    public void Timestamp_IsWithinTheCalendar()
    {
        var end = (ulong)DateTimeOffset.MaxValue.ToUnixTimeSeconds();

        Assert.True(new TokenTimestamp((end - 1) << 16).IsDefined);
        Assert.False(new TokenTimestamp(end << 16).IsDefined);
    }

    [Fact]
    public void BrowserUserName_IsReadAsItWasMade()
    {
        var token = Enumerable.Range(0, 100).Select(i => (byte)(i * 7)).ToArray();
        var name = BrowserUsername.Format("k1", token);
        var read = new byte[BrowserUsername.MaxLength];

        Assert.StartsWith("k1~", name, StringComparison.Ordinal);
        Assert.True(BrowserUsername.TryParse(Encoding.ASCII.GetBytes(name), read, out var keyIdLength, out var length));
        Assert.Equal(2, keyIdLength);
        Assert.Equal(token, read[..length]);
    }

    private static StunMessageWriter NewMessage() => new(new byte[512], StunMethod.Binding, StunClass.Request, Transaction);

    private static StunMessageReader Read(ReadOnlySpan<byte> octets)
    {
        Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(octets, out var message));
        return message;
    }

    private static List<StunAttributeType> TypesOf(StunMessageReader message)
    {
        List<StunAttributeType> types = [];
        foreach (var attribute in message) types.Add(attribute.Type);
        return types;
    }
}
