using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;

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
        var fixture = new HostFixture(ports: wish == Wish.ReservedPort ? 2 : 1);
        var transport = new FailingTransport(fixture.Transport, works: wish == Wish.BothFamilies ? 1 : 0);
        fixture.Host.Transport = transport;
        WriteAttributes ask = wish switch
        {
            Wish.BothFamilies => StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0),
            Wish.ReservedPort => StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80),
            _ => StunRequest.UdpTransport,
        };
        var client = fixture.NewClient(way);

        Assert.Equal(StunError.ServerError, (await fixture.AllocateAsync(client, ask)).Error);
        await fixture.AssertAllIsGivenBackAsync();
        Assert.False(fixture.Host.Knows(client.Flow));

        // The same 5-tuple and the same ports serve again.
        transport.Works = int.MaxValue;
        client.Credential = fixture.Engine.NewToken().Native;
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(client, ask)).Error);
        Assert.Equal(1, fixture.Node.Quotas.Total);
    }

    /// <summary>Starts so many relays and no more.</summary>
    private sealed class FailingTransport(IRelayTransport inner, int works) : IRelayTransport
    {
        public int Works { get; set; } = works;

        public AllocationDecision Bind(RelayRequest request, InternetAddress server) => inner.Bind(request, server);

        public void Start(Relay relay, Allocation allocation)
        {
            if (Works-- <= 0) throw new InvalidOperationException("broken on purpose");
            inner.Start(relay, allocation);
        }

        public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;
    }
}
