using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What the engines of a server share: reserved ports and connections that wait for their ConnectionBind.</summary>
public sealed class SharedStateTests
{
    private static readonly FakeRelay Reserved = new(EngineClient.Peer("192.0.2.1:50001"));
    private static readonly InternetAddress Client = InternetAddress.Parse("198.51.100.7");

    [Fact]
    [Requirement("RFC8656-18.10")]
    public void ReservationTokens_AreUnique_AndNeverZero()
    {
        var reservations = new PortReservations(Sequence<ulong>(0, 7, 7, 0, 8));

        Assert.Equal(7u, reservations.Add(Reserved, Client, expiresAt: 100));
        Assert.Equal(8u, reservations.Add(Reserved, Client, expiresAt: 100));
        Assert.Equal(2, reservations.Count);
    }

    [Fact]
    [Requirement("SEC-12")]
    public void Reservations_AreCountedByClientNetwork_UntilTheyEnd()
    {
        var reservations = new PortReservations(Sequence<ulong>(7, 8, 9));
        var (one, other) = (InternetAddress.Parse("2001:db8:1:2::1"), InternetAddress.Parse("2001:db8:1:2::2"));
        reservations.Add(Reserved, one, expiresAt: 100);
        reservations.Add(Reserved, other, expiresAt: 200);
        reservations.Add(Reserved, Client, expiresAt: 200);
        Assert.Equal((2, 1), (reservations.CountOf(one), reservations.CountOf(Client)));

        reservations.Sweep(now: 100, []);
        Assert.Equal((1, 1), (reservations.CountOf(one), reservations.CountOf(Client)));
        reservations.TryAcquire(8, now: 100);
        reservations.TryAcquire(9, now: 100);
        Assert.Equal((0, 0), (reservations.CountOf(one), reservations.CountOf(Client)));
    }

    [Fact]
    [Requirement("RFC8656-7.2-5")]
    public void Reservation_ServesOnceAndInTime_AlsoBetweenTwoSweeps()
    {
        var reservations = new PortReservations(Sequence<ulong>(7, 8));
        var (first, second) = (reservations.Add(Reserved, Client, expiresAt: 100), reservations.Add(Reserved, Client, expiresAt: 100));

        Assert.Same(Reserved, reservations.TryAcquire(first, now: 99));
        Assert.Null(reservations.TryAcquire(first, now: 99));
        Assert.Null(reservations.TryAcquire(second, now: 100));
        Assert.Null(reservations.TryAcquire(9, now: 0));

        // The expired relay is not lost: the next sweep closes it.
        List<Relay> relaysToClose = [];
        reservations.Sweep(now: 100, relaysToClose);
        Assert.Same(Reserved, Assert.Single(relaysToClose));
        Assert.Equal(0, reservations.Count);
    }

    [Fact]
    [Requirement("RFC8656-18.10")]
    public void TokensOfTheSystemsGenerator_Differ()
    {
        var reservations = new PortReservations();

        Assert.Equal(100, Enumerable.Range(0, 100).Select(_ => reservations.Add(Reserved, Client, expiresAt: 100)).Distinct().Count());
    }

    [Fact]
    [Requirement("RFC6062-6.2.1")]
    public void ConnectionIds_AreUnique_AndNeverZero()
    {
        var unbound = new UnboundConnections(Sequence<uint>(0, 7, 7, 0, 8));
        var (first, second) = (NewConnection(), NewConnection());
        unbound.Add(first);
        unbound.Add(second);

        Assert.Equal((7u, 8u), (first.Id, second.Id));
        Assert.Same(first, unbound.Find(7));
        Assert.Same(second, unbound.Find(8));
        Assert.Null(unbound.Find(9));
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    public void Connection_IsAcquiredOnce()
    {
        var unbound = new UnboundConnections();
        var connection = NewConnection();
        unbound.Add(connection);

        Assert.True(unbound.TryAcquire(connection));
        Assert.False(unbound.TryAcquire(connection));
        Assert.Null(unbound.Find(connection.Id));
    }

    [Fact]
    [Requirement("RFC8656-7.2-8")]
    public void ReservedIPv4Port_IsAnIPv4Relay()
    {
        var fixture = new EngineFixture();
        var token = fixture.NewClient().Allocate(StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80))
            .Value(StunAttributeType.ReservationToken);
        var client = fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.ReservationToken, token));

        Assert.True(client.CreatePermission("203.0.113.9:7000").IsSuccess);
        Assert.Same(fixture.Relays[1], client.Send("203.0.113.9:7000", [1]).Relay);
        Assert.Equal(StunError.PeerAddressFamilyMismatch, client.CreatePermission("[2001:db8::9]:7000").Error);
    }

    private static Func<T> Sequence<T>(params T[] values)
    {
        var next = 0;
        return () => values[next++];
    }

    private static PeerConnection NewConnection()
    {
        var fixture = new EngineFixture(new EngineSettings { TcpRelays = true });
        var client = fixture.NewClient(transport: Primitives.ClientTransport.Tcp);
        client.Allocate(StunRequest.Value(StunAttributeType.RequestedTransport, 6, 0, 0, 0));
        return new PeerConnection(client.Allocation, EngineClient.Peer("203.0.113.9:7000"));
    }
}
