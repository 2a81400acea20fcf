using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Addresses;
using WebRtcIms.Turn.Tests.Transport;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>Gives out the ports of the settings without sockets.</summary>
internal sealed class FakeTransport(TurnSettings settings) : IRelayTransport
{
    private readonly RelayBinder _binder = new(
        settings, Listening.RelaysOf(settings), new LiveRelays(), new RelaySockets(1000), NoShortages.Of(settings), new Random(1));

    /// <summary>The number of relays that are open.</summary>
    public int Bound { get; private set; }

    /// <summary>If set, binding a relay of IPv6 fails with this.</summary>
    public Exception? BindFails { get; set; }

    public AllocationDecision Bind(RelayRequest request, InternetAddress server) => _binder.Bind(request, server, (bind, advertise, onClosed) =>
    {
        if (BindFails is not null && bind.AddressFamily == AddressFamily.InterNetworkV6) throw BindFails;

        Bound++;
        var port = (ushort)bind.Port;
        return new FakeRelay(TransportAddress.From(bind), new TransportAddress(advertise, port), () =>
        {
            Bound--;
            onClosed(port);
        });
    });

    public void Start(Relay relay, Allocation allocation)
    {
    }

    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;
}
