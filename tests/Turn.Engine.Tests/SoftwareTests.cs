using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>SOFTWARE is in a challenge only if the answer is then at most three times as long as the request, on the wire.</summary>
public sealed class SoftwareTests
{
    // Ethernet with its checksum, IPv4 and UDP.
    private const int FrameOverhead = 18 + 20 + 8;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("TURN-A36")]
    [Requirement("TURN-A37")]
    public void Challenge_HasSoftware_AsLongAsItFits(bool withFingerprint)
    {
        var request = StunRequest.Plain(StunMethod.Allocate, withFingerprint ? AddFingerprint : null);
        var (present, absent) = (0, 0);
        for (var length = 1; length <= 120; length++)
        {
            var fixture = new EngineFixture(new EngineSettings { Software = new string('s', length) });
            var answer = EngineClient.Answered(fixture.Send(request, fixture.NewFlow()));
            var hasSoftware = answer.Has(StunAttributeType.Software);
            var full = answer.Octets.Length + (hasSoftware ? 0 : StunHeader.AttributeHeaderLength + StunHeader.Padded(length));

            Assert.Equal(withFingerprint, answer.Message.HasFingerprint);
            Assert.Equal(FrameOverhead + full <= 3 * (FrameOverhead + request.Length), hasSoftware);
            if (hasSoftware) present++;
            else absent++;
        }

        // Both cases occur.
        Assert.True(present > 0 && absent > 0);
    }

    private static void AddFingerprint(ref StunMessageWriter request) => request.AddFingerprint();
}
