using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Addresses;
using WebRtcIms.Turn.Transport.Relays;
using WebRtcIms.Turn.Transport.TcpRelays;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A relay port that another program has is not shared with it.</summary>
public sealed class TakenPortTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("RFC6062-5.1")]
    public void PortOfAProgramThatShares_IsNotTakenForATcpRelay(bool shares)
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (shares) other.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        var port = FreePorts.Tcp();
        other.Bind(new IPEndPoint(IPAddress.Loopback, port));
        other.Listen();
        var settings = new TurnSettings { RelayPorts = new RelayPortSettings { Min = port, Max = port } };
        var binder = new RelayBinder(
            settings, Listening.RelaysOf(settings), new LiveRelays(), new RelaySockets(100), NoShortages.Of(settings), new Random(1));

        Assert.Equal(StunError.InsufficientCapacity, Bind(binder).Error);

        other.Dispose();
        var decision = Bind(binder);
        Assert.Equal((StunError.None, port), (decision.Error, decision.IPv4!.Bound.Port));
        decision.IPv4.Dispose();
    }

    // The host is needed only once a peer connects.
    private static AllocationDecision Bind(RelayBinder binder) => binder.Bind(
        new RelayRequest(IPv4: true, IPv6: false, EvenPort: false, ReserveNext: false) { IsTcp = true },
        InternetAddress.Parse("127.0.0.1"),
        (bind, advertise, onClosed) => new TcpRelay(bind, advertise, onClosed, new RelaySockets(100), host: null!, TimeProvider.System));
}
