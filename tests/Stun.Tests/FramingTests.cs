using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Stun.Tests;

/// <summary>ChannelData, and the boundaries of messages in a stream.</summary>
public sealed class FramingTests
{
    [Theory]
    [InlineData("4001000361626300", 0x4001, "616263")]
    [InlineData("40010003616263", 0x4001, "616263")]
    [InlineData("4fff0000", 0x4FFF, "")]
    [Requirement("RFC8656-12.4")]
    [Requirement("ABUSE-21")]
    [Requirement("TURN-B29")]
    public void ChannelData_IsReadWithAndWithoutPadding(string datagram, ushort channel, string payload)
    {
        Assert.True(ChannelData.TryRead(Convert.FromHexString(datagram), out var readChannel, out var readPayload));
        Assert.Equal(channel, readChannel);
        Assert.Equal(payload, Convert.ToHexStringLower(readPayload));
    }

    [Theory]
    [InlineData("")]
    [InlineData("400100")]
    [InlineData("400100046162")]
    [InlineData("4001ffff61626364")]
    [Requirement("RFC8656-12.6")]
    [Requirement("ABUSE-21")]
    [Requirement("TURN-B29")]
    public void ChannelDataLongerThanItsDatagram_IsRefused(string datagram) =>
        Assert.False(ChannelData.TryRead(Convert.FromHexString(datagram), out _, out _));

    [Fact]
    [Requirement("RFC8656-12")]
    [Requirement("TURN-B30")]
    public void FirstOctet_TellsChannelDataFromStun()
    {
        for (var octet = 0; octet <= 0xFF; octet++)
            Assert.Equal(octet is >= 0x40 and <= 0x7F, ChannelData.IsChannelData((byte)octet));
    }

    [Theory]
    [InlineData("00010058", 20 + 0x58)]
    [InlineData("00010000", 20)]
    [InlineData("40000001", 8)]
    [InlineData("40000004", 8)]
    [InlineData("4000ffff", 4 + 65535 + 1)]
    [InlineData("00010057", 0)]
    [InlineData("80000004", 0)]
    [InlineData("16030102", 0)]
    [Requirement("RFC8489-6.2.2")]
    [Requirement("RFC8656-12.5")]
    [Requirement("TURN-A16")]
    public void Stream_IsCutWhereTheLengthFieldsSay(string prefix, int length)
    {
        Assert.Equal(length, StreamFraming.FrameLength(Convert.FromHexString(prefix)));
        Assert.True(length <= StreamFraming.MaxFrameLength);
    }

    [Theory]
    [InlineData("", true, true)]
    [InlineData("00", true, true)]
    [InlineData("0001", true, true)]
    [InlineData("000100002112a442", true, true)]
    [InlineData("0001000021", true, true)]
    [InlineData("3fef00002112a4", true, true)]
    [InlineData("0001000022", true, false)]
    [InlineData("000100002112a443", true, false)]
    [InlineData("000100002112a443", false, false)]
    [InlineData("00010001", true, false)]
    [InlineData("4000", false, true)]
    [InlineData("4000", true, false)]
    [InlineData("47", true, false)]
    [InlineData("1603010200010001", true, false)]
    [InlineData("0d0a0d0a000d0a51", true, false)]
    [InlineData("2a310d0a", true, false)]
    [InlineData("80", false, false)]
    [InlineData("ff", true, false)]
    [Requirement("RFC8489-5")]
    [Requirement("CLIENT-8")]
    public void StreamOfAnotherProtocol_IsKnownByItsFirstOctets(string start, bool isFirst, bool may) =>
        Assert.Equal(may, StreamFraming.MayStart(Convert.FromHexString(start), isFirst));

    [Fact]
    public void Header_IsFourOctets()
    {
        var header = new byte[ChannelData.HeaderLength];
        ChannelData.WriteHeader(header, 0x4123, 300);

        Assert.Equal("4123012c", Convert.ToHexStringLower(header));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 8)]
    public void Padded_RoundsUpToFour(int length, int padded) => Assert.Equal(padded, StunHeader.Padded(length));
}
