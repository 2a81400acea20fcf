using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Engine;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>A relay was bound, but the transport cannot receive for it: the system is out of epoll watches.</summary>
public sealed class StartFailureTests
{
    public enum Wish
    {
        OneFamily,
        BothFamilies,
        ReservedPort,
    }

    [Theory]
    [InlineData(Wish.OneFamily, ClientTransport.Udp)]
    [InlineData(Wish.BothFamilies, ClientTransport.Udp)]
    [InlineData(Wish.ReservedPort, ClientTransport.Udp)]
    [InlineData(Wish.OneFamily, ClientTransport.Tcp)]
    [Requirement("ABUSE-57")]
    public async Task AllocateWhoseRelayCannotBeStarted_IsRefused_AndGivesAllBack(Wish wish, ClientTransport way)
    {
        var world = new HostWorld(ports: wish == Wish.ReservedPort ? 2 : 1);
        var transport = new FailingTransport(world, works: wish == Wish.BothFamilies ? 1 : 0);
        world.Host.Transport = transport;
        Attributes ask = wish switch
        {
            Wish.BothFamilies => TestClient.Asking(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0),
            Wish.ReservedPort => TestClient.Asking(StunAttributeType.EvenPort, 0x80),
            _ => TestClient.Transport,
        };
        var client = world.NewClient(way);

        Assert.Equal(StunError.ServerError, (await world.AllocateAsync(client, ask)).Error);
        await world.AssertAllIsGivenBackAsync();
        Assert.False(world.Host.Knows(client.Flow));

        // The same 5-tuple and the same ports serve again.
        transport.Works = int.MaxValue;
        client.Credential = world.Bench.NewToken().Native;
        Assert.Equal(StunError.None, (await world.AllocateAsync(client, ask)).Error);
        Assert.Equal(1, world.Node.Quotas.Total);
    }

    /// <summary>Starts so many relays and no more.</summary>
    private sealed class FailingTransport(IRelayTransport inner, int works) : IRelayTransport
    {
        public int Works { get; set; } = works;

        public AllocationDecision Bind(RelayRequest request) => inner.Bind(request);

        public void Start(Relay relay, Allocation allocation)
        {
            if (Works-- <= 0) throw new InvalidOperationException("broken on purpose");
            inner.Start(relay, allocation);
        }

        public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;
    }
}
