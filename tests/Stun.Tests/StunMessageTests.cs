using System.Buffers.Binary;
using System.Net;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Stun.Tests;

/// <summary>The structure of a STUN message, and the attributes that count.</summary>
public sealed class StunMessageTests
{
    private static readonly TransactionId Transaction = new(Convert.FromHexString("0102030405060708090a0b0c"));

    [Fact]
    [Requirement("RFC8489-5")]
    [Requirement("TURN-A2")]
    public void EveryMethodAndClass_SurvivesTheRoundTrip()
    {
        for (var method = 0; method < 0x1000; method++)
        {
            foreach (var @class in Enum.GetValues<StunClass>())
            {
                var type = new StunMessageType((StunMethod)method, @class);
                Assert.True(type.Encode() < 0x4000);
                Assert.Equal(type, StunMessageType.Decode(type.Encode()));
            }
        }
    }

    [Theory]
    [InlineData(StunMethod.Binding, StunClass.Request, 0x0001)]
    [InlineData(StunMethod.Binding, StunClass.SuccessResponse, 0x0101)]
    [InlineData(StunMethod.Binding, StunClass.ErrorResponse, 0x0111)]
    [InlineData(StunMethod.Allocate, StunClass.Request, 0x0003)]
    [InlineData(StunMethod.Allocate, StunClass.SuccessResponse, 0x0103)]
    [InlineData(StunMethod.Allocate, StunClass.ErrorResponse, 0x0113)]
    [InlineData(StunMethod.Send, StunClass.Indication, 0x0016)]
    [InlineData(StunMethod.Data, StunClass.Indication, 0x0017)]
    [Requirement("RFC8489-5")]
    [Requirement("RFC8656-17")]
    [Requirement("TURN-A2")]
    [Requirement("TURN-B36")]
    public void MessageType_IsInterleavedAsOnTheWire(StunMethod method, StunClass @class, ushort bits) =>
        Assert.Equal(bits, new StunMessageType(method, @class).Encode());

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(19)]
    [Requirement("ABUSE-1")]
    [Requirement("ABUSE-2")]
    [Requirement("TURN-A1")]
    public void ShorterThanAHeader_IsNotStun(int length) =>
        Assert.Equal(StunParseStatus.NotStun, Status(Vectors.Request[..length]));

    [Theory]
    [InlineData(0x40)]
    [InlineData(0x80)]
    [InlineData(0xC0)]
    [InlineData(0x16)]
    [Requirement("ABUSE-6")]
    [Requirement("TURN-A1")]
    public void OtherFirstOctets_AreNotStun(byte first) =>
        Assert.NotEqual(StunParseStatus.Ok, Status(With(Vectors.Request, 0, (byte)(first | 0x40))));

    [Theory]
    [InlineData(-4, StunParseStatus.WrongLength)]
    [InlineData(4, StunParseStatus.WrongLength)]
    [InlineData(1, StunParseStatus.WrongLength)]
    [Requirement("ABUSE-3")]
    [Requirement("ABUSE-4")]
    [Requirement("TURN-A1")]
    public void WrongLengthField_IsRefused(int difference, StunParseStatus status) =>
        Assert.Equal(status, Status(With(Vectors.Request, 3, (byte)(Vectors.Request[3] + difference))));

    [Fact]
    [Requirement("ABUSE-5")]
    [Requirement("TURN-A1")]
    public void WrongMagicCookie_IsRefused() =>
        Assert.Equal(StunParseStatus.WrongMagicCookie, Status(With(Vectors.Request, 4, 0x22)));

    [Theory]
    [InlineData(0xFFFF)]
    [InlineData(85)]
    [Requirement("ABUSE-7")]
    public void AttributeBeyondTheEnd_IsRefused(ushort length)
    {
        var message = Vectors.Request.ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(22), length);

        Assert.NotEqual(StunParseStatus.Ok, Status(message));
    }

    [Fact]
    [Requirement("ABUSE-11")]
    [Requirement("RFC8489-14")]
    [Requirement("TURN-A5")]
    public void OfTwoAttributesOfOneType_TheFirstCounts()
    {
        var writer = NewRequest(StunMethod.Refresh);
        writer.WriteUInt32(StunAttributeType.Lifetime, 1);
        writer.WriteUInt32(StunAttributeType.Lifetime, 2);

        Assert.True(Read(writer).TryGetUInt32(StunAttributeType.Lifetime, out var lifetime));
        Assert.Equal(1u, lifetime);
    }

    [Fact]
    [Requirement("ABUSE-12")]
    [Requirement("RFC8489-14.5")]
    [Requirement("TURN-A19")]
    public void AttributesAfterIntegrity_AreNotSeen()
    {
        var writer = NewRequest(StunMethod.Refresh);
        writer.AddMessageIntegrity("key"u8);
        writer.WriteUInt32(StunAttributeType.Lifetime, 0);
        writer.AddFingerprint();
        var message = Read(writer);

        Assert.False(message.Has(StunAttributeType.Lifetime));
        Assert.True(message.VerifyMessageIntegrity("key"u8));
        Assert.True(message.FingerprintIsAbsentOrRight);
    }

    [Fact]
    [Requirement("RFC8489-14.6")]
    [Requirement("TURN-A19")]
    public void BothIntegrities_AreVerifiedEach_AndSha1AfterSha256IsIgnored()
    {
        var both = NewRequest(StunMethod.Refresh);
        both.AddMessageIntegrity("key"u8);
        both.AddMessageIntegritySha256("key"u8);
        var reversed = NewRequest(StunMethod.Refresh);
        reversed.AddMessageIntegritySha256("key"u8);
        reversed.AddMessageIntegrity("key"u8);

        Assert.True(Read(both).VerifyMessageIntegrity("key"u8) && Read(both).VerifyMessageIntegritySha256("key"u8));
        Assert.True(Read(reversed).VerifyMessageIntegritySha256("key"u8));
        Assert.False(Read(reversed).HasMessageIntegrity);
    }

    [Theory]
    [MemberData(nameof(IntegrityOrders))]
    [Requirement("ABUSE-12")]
    [Requirement("RFC8489-14.5")]
    [Requirement("RFC8489-14.6")]
    [Requirement("TURN-A19")]
    public void OnlyAttributesBeforeTheFirstIntegrity_AreSeen(StunAttributeType[] order)
    {
        var writer = NewRequest(StunMethod.Refresh);
        foreach (var type in order) Add(ref writer, type);
        var message = Read(writer);

        var end = Array.FindIndex(order, IsIntegrity);
        var shown = new List<StunAttributeType>();
        foreach (var attribute in message) shown.Add(attribute.Type);
        Assert.Equal(order[..end], shown);
        foreach (var type in order) Assert.Equal(shown.Contains(type), message.Has(type));
        Assert.Equal(order.Contains(StunAttributeType.MessageIntegritySha256), message.VerifyMessageIntegritySha256("key"u8));
    }

    /// <summary>Every order of one or both integrities with an attribute in each gap, with and without FINGERPRINT at the end.</summary>
    public static TheoryData<StunAttributeType[]> IntegrityOrders()
    {
        const StunAttributeType Sha1 = StunAttributeType.MessageIntegrity, Sha256 = StunAttributeType.MessageIntegritySha256;
        StunAttributeType[] fillers = [StunAttributeType.Lifetime, StunAttributeType.ChannelNumber, StunAttributeType.Software];
        var data = new TheoryData<StunAttributeType[]>();
        StunAttributeType[][] integrities = [[Sha1], [Sha256], [Sha1, Sha256], [Sha256, Sha1]];
        foreach (var chosen in integrities)
        {
            // Each bit says whether one gap (before, between, after) has its attribute.
            for (var gaps = 0; gaps < 1 << (chosen.Length + 1); gaps++)
            {
                var order = new List<StunAttributeType>();
                for (var i = 0; i <= chosen.Length; i++)
                {
                    if ((gaps >> i & 1) != 0) order.Add(fillers[i]);
                    if (i < chosen.Length) order.Add(chosen[i]);
                }

                data.Add([.. order]);
                data.Add([.. order, StunAttributeType.Fingerprint]);
            }
        }

        return data;
    }

    [Theory]
    [InlineData(12)]
    [InlineData(16)]
    [InlineData(28)]
    [InlineData(36)]
    [Requirement("ABUSE-16")]
    [Requirement("RFC8489-14.6")]
    [Requirement("TURN-A21")]
    public void IntegrityOfAnotherLength_IsNotVerified(int length)
    {
        var full = NewRequest(StunMethod.Refresh);
        full.AddMessageIntegritySha256("key"u8);
        Span<byte> value = stackalloc byte[36];
        full.Written[^32..].CopyTo(value);
        var writer = NewRequest(StunMethod.Refresh);
        writer.Write(StunAttributeType.MessageIntegritySha256, value[..length]);

        Assert.False(Read(writer).VerifyMessageIntegritySha256("key"u8));
    }

    [Fact]
    [Requirement("ABUSE-15")]
    [Requirement("RFC8489-14.7")]
    [Requirement("TURN-A18")]
    public void AttributeAfterFingerprint_IsRefused()
    {
        var writer = NewRequest(StunMethod.Binding);
        writer.AddFingerprint();
        writer.WriteUInt32(StunAttributeType.Lifetime, 1);

        Assert.Equal(StunParseStatus.FingerprintNotLast, Status(writer.Written.ToArray()));
    }

    [Fact]
    [Requirement("ABUSE-15")]
    [Requirement("TURN-A18")]
    public void WrongFingerprint_IsSeen()
    {
        var writer = NewRequest(StunMethod.Binding);
        writer.AddFingerprint();
        var octets = writer.Written.ToArray();
        octets[^1] ^= 1;

        Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(octets, out var message));
        Assert.False(message.FingerprintIsAbsentOrRight);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(9)]
    [InlineData(20)]
    [Requirement("RFC8489-14.2")]
    public void MalformedAddress_IsAbsent(int length)
    {
        var writer = NewRequest(StunMethod.CreatePermission);
        Span<byte> value = stackalloc byte[20];
        value[1] = (byte)StunAddressFamily.IPv4;
        writer.Write(StunAttributeType.XorPeerAddress, value[..length]);

        Assert.False(Read(writer).TryGetXorAddress(StunAttributeType.XorPeerAddress, out _));
    }

    [Theory]
    [InlineData("192.0.2.7:1")]
    [InlineData("[2001:db8::7]:65535")]
    [Requirement("RFC8489-14.2")]
    [Requirement("TURN-A12")]
    public void XorAddress_SurvivesTheRoundTrip(string endpoint)
    {
        var address = TransportAddress.From(IPEndPoint.Parse(endpoint));
        var writer = NewRequest(StunMethod.CreatePermission);
        writer.WriteXorAddress(StunAttributeType.XorPeerAddress, address);

        Assert.True(Read(writer).TryGetXorAddress(StunAttributeType.XorPeerAddress, out var read));
        Assert.Equal(address, read);
        Assert.Equal(endpoint, read.ToString());
    }

    [Fact]
    [Requirement("RFC8489-14.8")]
    [Requirement("TURN-A34")]
    public void ErrorCode_HasClassNumberAndReason()
    {
        var writer = NewRequest(StunMethod.Allocate);
        writer.WriteErrorCode(StunError.StaleNonce);
        var message = Read(writer);

        Assert.Equal(StunError.StaleNonce, message.ErrorCode);
        Assert.True(message.TryGet(StunAttributeType.ErrorCode, out var value));
        Assert.Equal([0, 0, 4, 38, .. "Stale Nonce"u8], value.ToArray());
    }

    [Theory]
    [InlineData(300, "Try Alternate")]
    [InlineData(400, "Bad Request")]
    [InlineData(401, "Unauthenticated")]
    [InlineData(403, "Forbidden")]
    [InlineData(405, "Mobility Forbidden")]
    [InlineData(420, "Unknown Attribute")]
    [InlineData(437, "Allocation Mismatch")]
    [InlineData(438, "Stale Nonce")]
    [InlineData(440, "Address Family not Supported")]
    [InlineData(441, "Wrong Credentials")]
    [InlineData(442, "Unsupported Transport Protocol")]
    [InlineData(443, "Peer Address Family Mismatch")]
    [InlineData(446, "Connection Already Exists")]
    [InlineData(447, "Connection Timeout or Failure")]
    [InlineData(486, "Allocation Quota Reached")]
    [InlineData(500, "Server Error")]
    [InlineData(508, "Insufficient Capacity")]
    [Requirement("RFC8489-14.8")]
    [Requirement("TURN-A34")]
    public void ErrorCode_HasTheNumberAndPhraseOfItsStandard(int code, string phrase)
    {
        var writer = NewRequest(StunMethod.Allocate);
        writer.WriteErrorCode((StunError)code);

        Assert.True(Read(writer).TryGet(StunAttributeType.ErrorCode, out var value));
        Assert.Equal([0, 0, (byte)(code / 100), (byte)(code % 100), .. Encoding.UTF8.GetBytes(phrase)], value.ToArray());
        Assert.True(Enum.IsDefined((StunError)code));
    }

    [Fact]
    public void EveryErrorCode_HasACaseAbove() =>
        Assert.Equal(17, Enum.GetValues<StunError>().Count(error => error != StunError.None));

    [Fact]
    [Requirement("RFC8489-14.13")]
    [Requirement("TURN-A7")]
    public void UnknownAttributes_AreListedInPairsOfOctets_WithZeroPadding()
    {
        var writer = NewRequest(StunMethod.Allocate);
        writer.WriteUnknownAttributes([(StunAttributeType)0x7FFF]);

        Assert.Equal("000a00027fff0000", Convert.ToHexStringLower(writer.Written[StunHeader.Length..]));
    }

    [Fact]
    [Requirement("RFC8489-14")]
    [Requirement("TURN-A4")]
    public void Padding_IsZero_EvenInAUsedBuffer()
    {
        var buffer = new byte[64];
        Array.Fill(buffer, (byte)0xFF);
        var writer = new StunMessageWriter(buffer, StunMethod.Binding, StunClass.Request, Transaction);
        writer.Write(StunAttributeType.Software, "a"u8);

        Assert.Equal("8022000161000000", Convert.ToHexStringLower(writer.Written[StunHeader.Length..]));
    }

    [Fact]
    public void BufferTooSmall_IsABugOfTheCaller()
    {
        var buffer = new byte[StunHeader.Length + 8];

        Assert.ThrowsAny<ArgumentException>(() =>
        {
            var writer = new StunMessageWriter(buffer, StunMethod.Binding, StunClass.Request, Transaction);
            writer.Write(StunAttributeType.Software, "too long"u8);
        });
    }

    [Fact]
    [Requirement("RFC8489-14")]
    [Requirement("TURN-A6")]
    public void HalfOfTheTypes_MustBeUnderstood()
    {
        Assert.True(StunAttributeType.AccessToken.IsComprehensionRequired());
        Assert.False(StunAttributeType.ThirdPartyAuthorization.IsComprehensionRequired());
    }

    private static StunMessageWriter NewRequest(StunMethod method) => new(new byte[512], method, StunClass.Request, Transaction);

    private static StunMessageReader Read(in StunMessageWriter writer)
    {
        Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(writer.Written.ToArray(), out var message));
        return message;
    }

    private static bool IsIntegrity(StunAttributeType type) =>
        type is StunAttributeType.MessageIntegrity or StunAttributeType.MessageIntegritySha256;

    private static void Add(ref StunMessageWriter writer, StunAttributeType type)
    {
        if (type == StunAttributeType.MessageIntegrity) writer.AddMessageIntegrity("key"u8);
        else if (type == StunAttributeType.MessageIntegritySha256) writer.AddMessageIntegritySha256("key"u8);
        else if (type == StunAttributeType.Fingerprint) writer.AddFingerprint();
        else writer.WriteUInt32(type, 1);
    }

    private static StunParseStatus Status(byte[] octets) => StunMessageReader.TryRead(octets, out _);

    private static byte[] With(byte[] octets, int index, byte value)
    {
        var changed = octets.ToArray();
        changed[index] = value;
        return changed;
    }
}
