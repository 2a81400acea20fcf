using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>How long answers to strangers are, whose address may be somebody else's.</summary>
public sealed class AmplificationTests
{
    // Octets around a message on the wire: Ethernet with its checksum, IPv4 and UDP.
    private const int FrameOverhead = 18 + 20 + 8;

    private const string Software = "A TURN server's name";

    private readonly EngineFixture _fixture = new(new EngineSettings { Software = Software });

    [Theory]
    [InlineData(StunMethod.Binding)]
    [InlineData(StunMethod.Allocate)]
    [InlineData(StunMethod.Refresh)]
    [InlineData(StunMethod.ChannelBind)]
    [Requirement("TURN-A37")]
    public void AnswerToTheShortestRequest_IsAtMostThreeTimesAsLong(StunMethod method)
    {
        var request = StunRequest.Plain(method);
        var answer = EngineClient.Answered(_fixture.Send(request, _fixture.NewFlow()));

        Assert.Equal(StunHeader.Length, request.Length);
        Assert.InRange(FrameOverhead + answer.Octets.Length, 0, 3 * (FrameOverhead + request.Length));
    }

    [Fact]
    [Requirement("TURN-A36")]
    public void Answers_SaySoftware_WhereTheyMay()
    {
        var client = _fixture.NewClient();

        Assert.Equal(
            Software,
            EngineClient.Answered(_fixture.Send(StunRequest.Plain(StunMethod.Binding), client.Flow)).Text(StunAttributeType.Software));
        Assert.Equal(Software, client.Challenge().Text(StunAttributeType.Software));
        Assert.Equal(Software, client.Allocate().Text(StunAttributeType.Software));
        Assert.Equal(Software, client.CreatePermission("127.0.0.1:1").Text(StunAttributeType.Software));
        Assert.False(
            EngineClient.Answered(_fixture.Send(StunRequest.Plain(StunMethod.Refresh), client.Flow)).Has(StunAttributeType.Software));
    }
}
