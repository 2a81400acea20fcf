using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Tests.Running;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>Rules that all back ends share.</summary>
public sealed class BackEndRuleTests
{
    private const int LongerThanUdp = 65_508;

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("ABUSE-70")]
    public async Task DatagramOfARelayThatTheKernelRefuses_IsCounted_AndTheNextIsSent(string transport)
    {
        await using var server = await InProcessServer.StartAsync(transport);
        var relay = (await server.AllocateAsync()).IPv4!;
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var address = TransportAddress.From((IPEndPoint)peer.Client.LocalEndPoint!);

        relay.Send(address, new byte[LongerThanUdp]);
        relay.SendUnfragmented(address, new byte[LongerThanUdp]);
        Assert.Equal(2, server.Drops("NotSent"));

        relay.Send(address, [7]);
        Assert.Equal([7], (await peer.ReceiveAsync(TestContext.Current.CancellationToken)).Buffer);
        Assert.Equal(2, server.Drops("NotSent"));
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("CLIENT-5")]
    public async Task DatagramToAClientThatTheKernelRefuses_IsCounted_AndTheNextIsSent(string transport)
    {
        await using var server = await InProcessServer.StartAsync(transport);
        var listener = (await server.AllocateAsync()).Path;
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var address = TransportAddress.From((IPEndPoint)client.Client.LocalEndPoint!);

        listener.Send(address, new byte[LongerThanUdp]);
        Assert.Equal(1, server.Drops("NotSent"));

        listener.Send(address, [7]);
        Assert.Equal([7], (await client.ReceiveAsync(TestContext.Current.CancellationToken)).Buffer);
        Assert.Equal(1, server.Drops("NotSent"));
    }

    /// <summary>Its answer would come back to the server, which would answer again.</summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("ABUSE-19")]
    public async Task RequestFromTheServersOwnSocket_GetsNothing_AndIsCounted(string transport)
    {
        await using var server = await InProcessServer.StartAsync(transport);
        var listener = (await server.AllocateAsync()).Path;

        listener.Send(TransportAddress.From(server.Address), StunRequest.Plain(StunMethod.Binding));

        server.AssertDrops("SourceForbidden", 1);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    [Requirement("ABUSE-19")]
    public async Task ClientHelloFromAnotherAddressOfTheServer_GetsNothing_AndIsCounted(bool isOwnPort, int dropped)
    {
        await using var server = await InProcessServer.StartAsync("Portable");
        using var client = new UdpClient(new IPEndPoint(InProcessServer.Advertised, isOwnPort ? server.DtlsAddress.Port : 0));

        await client.SendAsync(DtlsHello.Write([]), server.DtlsAddress, TestContext.Current.CancellationToken);

        if (!isOwnPort) await client.ReceiveAsync(TestContext.Current.CancellationToken);
        server.AssertDrops("SourceForbidden", dropped);
        Assert.Equal(0, client.Available);
    }
}
