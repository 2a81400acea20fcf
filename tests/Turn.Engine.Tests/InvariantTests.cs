using CsCheck;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What holds after any sequence of messages, expiries and closed streams.</summary>
public sealed class InvariantTests
{
    private const int Clients = 3;

    private enum Act
    {
        Allocate,
        AllocateEven,
        AllocateBoth,
        AllocateMobile,
        UseReservation,
        Move,
        Refresh,
        Delete,
        Permit,
        Bind,
        Send,
        Channel,
        FromPeer,
        Close,
        Wait,
        LongWait,
        Garbage,
    }

    private static readonly Gen<(Act Act, int Client, byte[] Octets)[]> Histories =
        Gen.Select(Gen.Enum<Act>(), Gen.Int[0, Clients - 1], Gen.Byte.Array[0, 80]).Array[1, 60];

    [Fact]
    [Requirement("ABUSE-55")]
    [Requirement("ABUSE-67")]
    [Requirement("TURN-B5")]
    [Requirement("TURN-D3")]
    public void AnyHistory_LeaksNoRelay_AndRelaysOnlyUnderAPermission() => Histories.Sample(
        history =>
        {
            var mobile = new MobileAllocations(new MobilityTickets(new byte[32]));
            var fixture = new EngineFixture(mobile: mobile);
            var clients = Enumerable.Range(0, Clients)
                .Select(i => fixture.NewClient(transport: i == 0 ? ClientTransport.Tcp : ClientTransport.Udp)).ToList();
            var permitted = new long[Clients];
            var reservation = new byte[8];
            var tickets = new byte[Clients][];
            foreach (var (act, index, octets) in history)
            {
                if (act == Act.AllocateMobile
                    && clients[index].TryAllocate(StunRequest.UdpWith(StunAttributeType.MobilityTicket)) is { IsSuccess: true } answer)
                    (tickets[index], permitted[index]) = (answer.Value(StunAttributeType.MobilityTicket), 0);
                else if (act == Act.Move) Move(fixture, clients, index, tickets);
                else Apply(fixture, clients[index], index, act, octets, permitted, ref reservation);
                fixture.Sweep();
                AssertRelaysMatchAllocations(fixture, clients);
            }

            fixture.Engine.EndAll();
            fixture.CloseWhatEnded();
            Assert.All(fixture.Relays, relay => Assert.Equal(1, relay.Closed));
            Assert.Equal((0, 0), (mobile.Count, mobile.FlowCount));
        },
        iter: 3000);

    private static void Apply(
        EngineFixture fixture, EngineClient client, int index, Act act, byte[] octets, long[] permitted, ref byte[] reservation)
    {
        const string Peer = "203.0.113.9:7000";
        var wanted = reservation;
        switch (act)
        {
            case Act.Allocate: Allocated(client.TryAllocate()); break;
            case Act.AllocateEven: Allocated(client.TryAllocate(StunRequest.UdpWith(StunAttributeType.EvenPort, [0x80]))); break;
            case Act.AllocateBoth:
                Allocated(client.TryAllocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0)));
                break;
            case Act.UseReservation: Allocated(client.TryAllocate(StunRequest.UdpWith(StunAttributeType.ReservationToken, wanted))); break;
            case Act.Refresh: client.Refresh(); break;
            case Act.Delete: client.Refresh(0); break;
            case Act.Permit: Permitted(client.CreatePermission(Peer)); break;
            case Act.Bind: Permitted(client.ChannelBind(0x4000, Peer)); break;
            case Act.Send: Relayed(client.Send(Peer, octets)); break;
            case Act.Channel: Relayed(client.SendOnChannel(0x4000, octets)); break;
            case Act.Close when client.Flow.IsStream:
                fixture.Engine.StreamClosed(client.Flow);
                break;
            case Act.Wait: fixture.Advance(50); break;
            case Act.LongWait: fixture.Advance(290); break;
            case Act.Garbage: fixture.Route(octets, client.Flow); break;
            default: break;
        }

        if (fixture.LastAllocation?.ReservationToken is { } token and not 0)
        {
            reservation = BitConverter.GetBytes(token);
            Array.Reverse(reservation);
        }

        void Allocated(StunAnswer? answer)
        {
            if (answer?.IsSuccess == true) permitted[index] = 0;
        }

        void Permitted(StunAnswer answer)
        {
            if (answer.IsSuccess) permitted[index] = fixture.Time.After(Permission.Lifetime);
        }

        void Relayed(Outcome outcome)
        {
            if (outcome.Kind == OutcomeKind.ToPeer) Assert.True(fixture.Time.Milliseconds < permitted[index]);
        }
    }

    private static void Move(EngineFixture fixture, List<EngineClient> clients, int index, byte[][] tickets)
    {
        var moved = new EngineClient(fixture, fixture.NewFlow(), clients[index].Credential);
        var answer = moved.Request(
            StunMethod.Refresh, (ref StunMessageWriter request) => request.Write(StunAttributeType.MobilityTicket, tickets[index] ?? []));
        if (answer?.IsSuccess != true) return;
        tickets[index] = answer.Value(StunAttributeType.MobilityTicket);
        clients[index] = moved;
    }

    private static void AssertRelaysMatchAllocations(EngineFixture fixture, List<EngineClient> clients)
    {
        var open = fixture.Relays.Count(relay => relay.Closed == 0);
        var held = fixture.Reservations.Count + fixture.RelaysInUse;
        Assert.Equal(held, open);
        Assert.All(fixture.Relays, relay => Assert.InRange(relay.Closed, 0, 1));
        Assert.InRange(fixture.Engine.AllocationCount, 0, clients.Count);
    }
}
