using CsCheck;
using WebRtcIms.Fuzz.Targets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Fuzz.Tests;

/// <summary>
/// What holds after any history of requests, data, decisions, moves, connections of peers, closed streams and time steps. The steps are
/// those of the engine's fuzz target, which checks after each one; here they are likelier to make sense, and CsCheck shrinks what fails.
/// </summary>
public sealed class EngineHistoryTests
{
    private static readonly Gen<byte> Flow = Gen.Byte[0, 7];
    private static readonly Gen<byte> Credential = Gen.Byte[0, 6];
    private static readonly Gen<byte> Peer = Gen.Byte[0, 7];
    private static readonly Gen<byte> Index = Gen.Byte[0, 3];

    private static readonly Gen<byte[]> Attribute = Gen.OneOf(
        Peer.Select(peer => Value(StunAttributeType.XorPeerAddress, peer)),
        Gen.Byte[0, 4].Select(channel => Value(StunAttributeType.ChannelNumber, 0x40, channel, 0, 0)),
        Gen.UShort.Select(seconds => Value(StunAttributeType.Lifetime, 0, 0, (byte)(seconds >> 8), (byte)seconds)),
        Gen.OneOf<byte[]>(
            Value(StunAttributeType.Lifetime, 0, 0, 0, 0), Value(StunAttributeType.EvenPort, 0), Value(StunAttributeType.EvenPort, 0x80)),
        Gen.Byte[0, 3].Select(family => Value(StunAttributeType.RequestedAddressFamily, family, 0, 0, 0)),
        Gen.Byte[1, 2].Select(family => Value(StunAttributeType.AdditionalAddressFamily, family, 0, 0, 0)),
        Gen.Byte[1, 4].Select(token => Value(StunAttributeType.ReservationToken, 0, 0, 0, 0, 0, 0, 0, token)),
        Gen.Byte.Array[0, 20].Select(data => Value(StunAttributeType.Data, data)),
        Gen.OneOf<byte[]>(Value(StunAttributeType.MobilityTicket), Value(StunAttributeType.MobilityTicket, 0)),
        Gen.Select(Gen.Byte, Gen.Byte, (at, octet) => Value(StunAttributeType.Nonce, at, octet)),
        Gen.Select(Gen.UShort, Gen.Byte.Array[0, 20], (type, value) => Value((StunAttributeType)type, value)));

    private static readonly Gen<byte[]> Attributes = Attribute.Array[0, 4].Select(list =>
        (byte[])[(byte)list.Length, .. list.SelectMany(octets => octets)]);

    private static readonly Gen<byte[]> Step = Gen.Frequency(
        (4, Gen.Select(Flow, Credential, (flow, credential) => (byte[])[11, flow, credential])),
        (8, Gen.Select(Flow, Gen.Byte, Credential, Attributes, (flow, method, credential, attributes) =>
            (byte[])[1, flow, method, credential, .. attributes])),
        (3, Gen.Select(Flow, Credential, Peer, (flow, credential, peer) =>
            (byte[])[1, flow, 7, credential, 1, .. Value(StunAttributeType.XorPeerAddress, peer)])),
        (3, Gen.Select(Flow, Attributes, (flow, attributes) => (byte[])[2, flow, .. attributes])),
        (2, Gen.Select(Flow, Gen.Byte[0, 4], Gen.Byte, (flow, channel, length) => (byte[])[3, flow, 0x40, channel, 0, length, length])),
        (3, Gen.Select(Flow, Peer, Gen.UShort, (index, peer, length) => (byte[])[4, 0, index, peer, (byte)(length >> 8), (byte)length])),
        (1, Gen.Select(Flow, Peer, Gen.Byte[0, 12], Gen.Byte[0, 15], (index, peer, type, code) => (byte[])[5, 0, index, peer, type, code])),
        (3, Gen.OneOf(Gen.UShort[0, 400], Gen.UShort[0, 4000]).Select(seconds => (byte[])[6, 0, (byte)(seconds >> 8), (byte)seconds])),
        (1, Flow.Select(flow => (byte[])[7, flow])),
        (1, Gen.Byte[0, 1].Select(hold => (byte[])[8, 0, hold])),
        (2, Gen.Select(Gen.Byte, Gen.Byte, (index, refusal) => (byte[])[9, 0, index, refusal])),
        (1, Flow.Select(flow => (byte[])[10, flow])),
        (3, Gen.Select(Flow, Credential, Gen.Byte[0, 7], (flow, credential, kind) => (byte[])[12, flow, credential, kind])),
        (4, Gen.Select(Flow, Credential, Index, Gen.Byte[0, 3], (flow, credential, ticket, options) =>
            (byte[])[13, flow, credential, ticket, options])),
        (3, Gen.Select(Flow, Credential, Peer, (flow, credential, peer) => (byte[])[14, flow, credential, peer])),
        (3, Gen.Select(Gen.Byte[0, 1], Index, (fails, index) => (byte[])[15, fails, index])),
        (2, Gen.Select(Index, Peer, (index, peer) => (byte[])[16, 0, index, peer])),
        (3, Gen.Select(Flow, Credential, Index, Gen.Byte[0, 1], (flow, credential, index, options) =>
            (byte[])[17, flow, credential, index, options])),
        (1, Gen.Byte[0, 1].Select(drains => (byte[])[18, drains])),
        (1, Index.Select(index => (byte[])[19, 0, index])),
        (2, Gen.UShort.Select(milliseconds => (byte[])[20, 0, (byte)(milliseconds >> 8), (byte)milliseconds])),
        (1, Gen.Select(Flow, Gen.Byte.Array[0, 60], (flow, octets) => (byte[])[0, flow, 0, (byte)octets.Length, .. octets])));

    [Fact]
    [Requirement("TURN-A37")]
    [Requirement("TURN-B5")]
    [Requirement("ABUSE-55")]
    [Requirement("ABUSE-67")]
    public void AnyHistory_KeepsPortsQuotasAndPermissions_AndAnswersStrangersBriefly() =>
        Step.Array[1, 60].Sample(steps => EngineTarget.Run([.. steps.SelectMany(octets => octets)]), iter: 5000);

    private static byte[] Value(StunAttributeType type, params byte[] value) =>
        [(byte)((ushort)type >> 8), (byte)type, (byte)value.Length, .. value];
}
