using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Stun.Tests;

/// <summary>Messages of RFC 5769 and RFC 8489 Appendix B, read, verified and written again octet by octet.</summary>
public sealed class VectorTests
{
    private const StunAttributeType Priority = (StunAttributeType)0x0024;

    [Fact]
    [Requirement("RFC5769-2.1")]
    [Requirement("RFC8489-14")]
    [Requirement("TURN-A4")]
    [Requirement("TURN-F1")]
    [Requirement("ABUSE-8")]
    public void Request_IsReadAndVerified_ThoughItsPaddingIsNotZero()
    {
        var message = Read(Vectors.Request);

        Assert.Equal((StunMethod.Binding, StunClass.Request), (message.Method, message.Class));
        Assert.Equal("STUN test client", Text(message, StunAttributeType.Software));
        Assert.Equal("evtj:h6vY", Text(message, StunAttributeType.Username));
        Assert.True(message.TryGetUInt32(Priority, out var priority));
        Assert.Equal(0x6e0001ffu, priority);
        Assert.True(message.VerifyMessageIntegrity(Vectors.ShortTermKey));
        Assert.False(message.VerifyMessageIntegrity("VOkJxbRl1RmTxUk/WvJxBs"u8));
        Assert.True(message.HasFingerprint && message.FingerprintIsAbsentOrRight);
    }

    [Fact]
    [Requirement("RFC5769-2.2")]
    [Requirement("RFC8489-14.2")]
    [Requirement("TURN-A12")]
    [Requirement("TURN-F2")]
    public void ResponseWithIPv4_GivesItsMappedAddress()
    {
        var message = Read(Vectors.ResponseIPv4);

        Assert.True(message.TryGetXorAddress(StunAttributeType.XorMappedAddress, out var address));
        Assert.Equal("192.0.2.1:32853", address.ToString());
        Assert.True(message.VerifyMessageIntegrity(Vectors.ShortTermKey) && message.FingerprintIsAbsentOrRight);
    }

    [Fact]
    [Requirement("RFC5769-2.3")]
    [Requirement("RFC8489-14.2")]
    [Requirement("TURN-A12")]
    [Requirement("TURN-F3")]
    public void ResponseWithIPv6_GivesItsMappedAddress()
    {
        var message = Read(Vectors.ResponseIPv6);

        Assert.True(message.TryGetXorAddress(StunAttributeType.XorMappedAddress, out var address));
        Assert.Equal("[2001:db8:1234:5678:11:2233:4455:6677]:32853", address.ToString());
        Assert.True(message.VerifyMessageIntegrity(Vectors.ShortTermKey) && message.FingerprintIsAbsentOrRight);
    }

    [Fact]
    [Requirement("RFC5769-2.4")]
    [Requirement("RFC8489-9.2.2")]
    [Requirement("TURN-A20")]
    [Requirement("TURN-A22")]
    [Requirement("TURN-F4")]
    public void LongTermRequest_VerifiesWithTheMd5OfItsCredentials()
    {
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(Vectors.User, Vectors.Realm, Vectors.PreparedPassword, key);
        var message = Read(Vectors.LongTermRequest);

        Assert.Equal("e8ca7ad59d5eb0518e312911d2dab2a9", Convert.ToHexStringLower(key));
        Assert.True(message.VerifyMessageIntegrity(key));
        Assert.Equal("f//499k954d6OL34oL9FSTvy64sA", Text(message, StunAttributeType.Nonce));
        Assert.False(message.HasFingerprint);
    }

    [Fact]
    [Requirement("RFC8489-B.1")]
    [Requirement("RFC8489-14.4")]
    [Requirement("RFC8489-14.6")]
    [Requirement("TURN-F5")]
    public void Sha256Request_VerifiesAndCarriesTheUserHash()
    {
        var key = new byte[LongTermKey.Sha256Length];
        var userHash = new byte[32];
        LongTermKey.ComputeSha256(Vectors.User, Vectors.Realm, Vectors.PreparedPassword, key);
        LongTermKey.ComputeUserHash(Vectors.User, Vectors.Realm, userHash);
        var message = Read(Vectors.Sha256Request);

        Assert.Equal("dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1", Convert.ToHexStringLower(key));
        Assert.True(message.TryGet(StunAttributeType.UserHash, out var sent));
        Assert.Equal(userHash, sent.ToArray());
        Assert.True(message.VerifyMessageIntegritySha256(key));
        Assert.False(message.VerifyMessageIntegrity(key));
    }

    [Fact]
    [Requirement("RFC8489-9.2.2")]
    [Requirement("TURN-A22")]
    public void Md5Key_IsThatOfTheRfcsExample()
    {
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5("user"u8, "realm"u8, "pass"u8, key);

        Assert.Equal("8493fbc53ba582fb4c044c456bdc40eb", Convert.ToHexStringLower(key));
    }

    [Theory]
    [InlineData("a\u00A0b", "a b")]
    [InlineData("A\u030A", "\u00C5")]
    [InlineData("Correct Horse", "Correct Horse")]
    [Requirement("RFC8265-4.2")]
    [Requirement("TURN-A22")]
    public void OpaqueString_MapsSpacesAndComposes(string text, string prepared) =>
        Assert.Equal(prepared, LongTermKey.PrepareOpaqueString(text));

    [Fact]
    [Requirement("RFC5769-2.2")]
    [Requirement("TURN-F2")]
    public void ResponseWithIPv4_IsWrittenOctetForOctet_ButForItsPadding()
    {
        var written = Write(Vectors.ResponseIPv4, TransportAddress.From(System.Net.IPEndPoint.Parse("192.0.2.1:32853")));

        Assert.Equal(WithZeroPadding(Vectors.ResponseIPv4, paddingAt: 35), written);
    }

    [Fact]
    [Requirement("RFC5769-2.3")]
    [Requirement("TURN-F3")]
    public void ResponseWithIPv6_IsWrittenOctetForOctet_ButForItsPadding()
    {
        var written = Write(
            Vectors.ResponseIPv6, TransportAddress.From(System.Net.IPEndPoint.Parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853")));

        Assert.Equal(WithZeroPadding(Vectors.ResponseIPv6, paddingAt: 35), written);
    }

    [Fact]
    [Requirement("RFC5769-2.4")]
    [Requirement("TURN-F4")]
    public void LongTermRequest_IsWrittenOctetForOctet()
    {
        var original = Read(Vectors.LongTermRequest);
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(Vectors.User, Vectors.Realm, Vectors.PreparedPassword, key);
        var writer = new StunMessageWriter(new byte[200], StunMethod.Binding, StunClass.Request, original.TransactionId);
        writer.Write(StunAttributeType.Username, Vectors.User);
        writer.Write(StunAttributeType.Nonce, "f//499k954d6OL34oL9FSTvy64sA"u8);
        writer.Write(StunAttributeType.Realm, Vectors.Realm);
        writer.AddMessageIntegrity(key);

        Assert.Equal(Vectors.LongTermRequest, writer.Written.ToArray());
    }

    [Fact]
    [Requirement("RFC8489-B.1")]
    [Requirement("TURN-F5")]
    public void Sha256Request_IsWrittenOctetForOctet()
    {
        var original = Read(Vectors.Sha256Request);
        var key = new byte[LongTermKey.Sha256Length];
        LongTermKey.ComputeSha256(Vectors.User, Vectors.Realm, Vectors.PreparedPassword, key);
        var writer = new StunMessageWriter(new byte[200], StunMethod.Binding, StunClass.Request, original.TransactionId);
        foreach (var attribute in original) writer.Write(attribute.Type, attribute.Value);
        writer.AddMessageIntegritySha256(key);

        Assert.Equal(Vectors.Sha256Request, writer.Written.ToArray());
    }

    [Theory]
    [MemberData(nameof(EveryOctet))]
    [Requirement("RFC8489-14.5")]
    [Requirement("RFC8489-14.7")]
    [Requirement("TURN-A20")]
    public void FlippedOctet_IsNoticed(int octet)
    {
        var changed = Vectors.ResponseIPv4.ToArray();
        changed[octet] ^= 0x01;
        if (StunMessageReader.TryRead(changed, out var message) != StunParseStatus.Ok) return;

        Assert.False(message.HasFingerprint && message.FingerprintIsAbsentOrRight && message.VerifyMessageIntegrity(Vectors.ShortTermKey));
    }

    public static TheoryData<int> EveryOctet => [.. Enumerable.Range(0, Vectors.ResponseIPv4.Length)];

    private static StunMessageReader Read(byte[] octets)
    {
        Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(octets, out var message));
        return message;
    }

    private static string Text(in StunMessageReader message, StunAttributeType type)
    {
        Assert.True(message.TryGet(type, out var value));
        return Encoding.UTF8.GetString(value);
    }

    private static byte[] Write(byte[] vector, TransportAddress mapped)
    {
        var writer = new StunMessageWriter(new byte[200], StunMethod.Binding, StunClass.SuccessResponse, Read(vector).TransactionId);
        writer.Write(StunAttributeType.Software, "test vector"u8);
        writer.WriteXorAddress(StunAttributeType.XorMappedAddress, mapped);
        writer.AddMessageIntegrity(Vectors.ShortTermKey);
        writer.AddFingerprint();
        return writer.Written.ToArray();
    }

    // The vector pads with a space and this project with zero, as RFC 8489 §14 wants: both HMAC and CRC differ then.
    private static byte[] WithZeroPadding(byte[] vector, int paddingAt)
    {
        Assert.Equal((byte)' ', vector[paddingAt]);
        var changed = vector.ToArray();
        changed[paddingAt] = 0;
        var integrity = vector.Length - 32;
        var covered = changed[..integrity];
        covered[3] -= 8;
        System.Security.Cryptography.HMACSHA1.HashData(Vectors.ShortTermKey, covered, changed.AsSpan(integrity + 4, 20));
        var crc = System.IO.Hashing.Crc32.HashToUInt32(changed.AsSpan(0, vector.Length - 8)) ^ 0x5354554Eu;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(changed.AsSpan(vector.Length - 4), crc);
        return changed;
    }
}
