using System.Globalization;
using System.Reflection;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>One case for each entry of the engine's lists, and one for each value that is not in them.</summary>
public sealed class ListTests
{
    /// <summary>Comprehension-required attributes of RFC 8489, RFC 8656, RFC 7635 and RFC 6062 that a server knows.</summary>
    private static readonly ushort[] Understood =
    [
        0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018, 0x0019, 0x001A,
        0x001B, 0x001C, 0x001D, 0x001E, 0x0020, 0x0022, 0x002A,
    ];

    private readonly EngineFixture _fixture = new();

    [Fact]
    [Requirement("RFC8489-6.3.1")]
    public void ExactlyTheListedAttributes_AreUnderstoodInARequest()
    {
        List<ushort> accepted = [];
        var flow = _fixture.NewFlow();
        for (var type = 0; type < 0x8000; type++)
        {
            var request = StunRequest.Plain(StunMethod.Binding, (ref StunMessageWriter message) => Write(ref message, (ushort)type));
            var answer = _fixture.Send(request, flow)!;
            if (answer.IsSuccess) accepted.Add((ushort)type);
            else Assert.Equal([(byte)(type >> 8), (byte)type], answer.Value(StunAttributeType.UnknownAttributes));
        }

        Assert.Equal(Hex(Understood), Hex(accepted));
    }

    [Fact]
    [Requirement("RFC8656-11.2")]
    public void ExactlyTheListedAttributes_AreUnderstoodInAnIndication()
    {
        List<ushort> accepted = [];
        var client = _fixture.NewClient();
        client.Allocate();
        client.CreatePermission("203.0.113.9:7000");
        for (var type = 0; type < 0x8000; type++)
        {
            var outcome = client.Send(
                "203.0.113.9:7000", [1], (ref StunMessageWriter message) => Write(ref message, (ushort)type));
            if (outcome.Kind == OutcomeKind.ToPeer || outcome.DropReason == DropReason.Malformed) accepted.Add((ushort)type);
            else Assert.Equal(DropReason.UnknownAttributeInIndication, outcome.DropReason);
        }

        Assert.Equal(Hex(Understood), Hex(accepted));
    }

    /// <summary>RFC 6062's methods are only served where TCP relays are on.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC8489-6.3")]
    public void ExactlyTheListedMethods_AreServed(bool tcpRelays)
    {
        var fixture = new EngineFixture(new EngineSettings { TcpRelays = tcpRelays });
        List<StunMethod> served = [];
        for (var method = 0; method <= 0xFFF; method++)
        {
            foreach (var @class in Enum.GetValues<StunClass>())
            {
                fixture.Send(StunRequest.Plain((StunMethod)method, @class: @class), fixture.NewFlow());
                if (fixture.LastDrop == DropReason.UnexpectedMessage) continue;
                Assert.Equal((StunMethod)method == StunMethod.Send ? StunClass.Indication : StunClass.Request, @class);
                served.Add((StunMethod)method);
            }
        }

        StunMethod[] ofTcp = [StunMethod.Connect, StunMethod.ConnectionBind];
        StunMethod[] always =
        [
            StunMethod.Binding, StunMethod.Allocate, StunMethod.Refresh, StunMethod.Send, StunMethod.CreatePermission,
            StunMethod.ChannelBind,
        ];
        Assert.Equal([.. always, .. tcpRelays ? ofTcp : []], served);
    }

    /// <summary>A range that the registries do not have, or that others contain, has no case of its own in SpecialPurposeTests.</summary>
    [Fact]
    [Requirement("ABUSE-58")]
    public void EachDeniedRange_HasACase()
    {
        var denied = (AddressRange[])typeof(PeerPolicy).GetField("SpecialPurpose", BindingFlags.NonPublic | BindingFlags.Static)!
            .GetValue(null)!;
        HashSet<AddressRange> cases =
        [
            .. SpecialPurposeRegistries.IPv4.Concat(SpecialPurposeRegistries.IPv6)
                .Concat(SpecialPurposeRegistries.Embedding.Select(embedding => embedding.Range)).Select(AddressRange.Parse),
        ];

        Assert.All(denied, range => Assert.Contains(range, cases));
    }

    private static void Write(ref StunMessageWriter message, ushort type) => message.Write((StunAttributeType)type, [0, 0, 0, 0]);

    private static IEnumerable<string> Hex(IEnumerable<ushort> types) =>
        types.Select(type => type.ToString("X4", CultureInfo.InvariantCulture));
}
