using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Tests.Engine;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A peer that is not there: the kernel's ICMP reaches the client, and other peers' datagrams are not lost with it.</summary>
public sealed class IcmpTests
{
    [Fact]
    [Requirement("RFC8656-11.5")]
    [Requirement("ABUSE-70")]
    public async Task ClosedPort_IsTold_AndTheOthersAreStillReached()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ICMP errors of unconnected sockets are read on Linux alone");
        var cancel = TestContext.Current.CancellationToken;
        await using var server = await TurnServerProcess.StartAsync(
            ("Turn__StaticUsers__0__Name", "alice"), ("Turn__StaticUsers__0__Password", "secret"), ("Turn__Realm", EngineBench.Realm), ("Turn__Transport", "Epoll"));
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        client.Connect(IPAddress.Loopback, server.Port);
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var (open, closed) = ((IPEndPoint)peer.Client.LocalEndPoint!, new IPEndPoint(IPAddress.Loopback, FreePorts.TcpAndUdp()));
        var key = MD5.HashData(Encoding.UTF8.GetBytes($"alice:{EngineBench.Realm}:secret"));

        await client.SendAsync(TestClient.Plain(StunMethod.Allocate, TestClient.Transport), cancel);
        var nonce = Answer.Read((await client.ReceiveAsync(cancel)).Buffer).Value(StunAttributeType.Nonce);
        await RequestAsync(StunMethod.Allocate, TestClient.Transport);
        await RequestAsync(
            StunMethod.CreatePermission,
            (ref StunMessageWriter request) => request.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(open)));

        for (var i = 0; i < 20; i++)
        {
            await SendAsync(closed);
            var indication = Answer.Read((await client.ReceiveAsync(cancel)).Buffer);
            Assert.Equal(closed, indication.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());
            Assert.Equal("0000060300000000", Convert.ToHexString(indication.Value(StunAttributeType.Icmp)));

            await SendAsync(closed);
            await SendAsync(open);
            Assert.Equal([7], (await peer.ReceiveAsync(cancel)).Buffer);
            Assert.True(Answer.Read((await client.ReceiveAsync(cancel)).Buffer).Has(StunAttributeType.Icmp));
        }

        async Task RequestAsync(StunMethod method, Attributes attributes)
        {
            var request = new StunMessageWriter(new byte[512], method, StunClass.Request, TestClient.NewTransaction());
            attributes(ref request);
            request.Write(StunAttributeType.Username, "alice"u8);
            request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm));
            request.Write(StunAttributeType.Nonce, nonce);
            request.AddMessageIntegrity(key);
            var octets = request.Written.ToArray();
            await client.SendAsync(octets, cancel);
            Assert.True(Answer.Read((await client.ReceiveAsync(cancel)).Buffer).IsSuccess);
        }

        async Task SendAsync(IPEndPoint to) => await client.SendAsync(
            TestClient.Plain(
                StunMethod.Send,
                (ref StunMessageWriter message) =>
                {
                    message.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(to));
                    message.Write(StunAttributeType.Data, [7]);
                },
                StunClass.Indication),
            cancel);
    }
}
