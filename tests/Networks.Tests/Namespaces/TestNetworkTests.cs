using System.Net;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Networks.Tests.Namespaces;

/// <summary>The networks of the tests themselves.</summary>
public sealed class TestNetworkTests
{
    [Fact]
    public async Task Server_RunsInItsNamespace_AndAnswersAClientOfAnother()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await using var turn = await server.StartTurnAsync(Users.Settings(("Turn__ListenAddress", "20.77.0.1,2a77::1")));
        foreach (var (from, to) in new[] { ("20.77.0.101", "20.77.0.1"), ("2a77::101", "2a77::1") })
        {
            await using var alice = client.UdpClient(from, new IPEndPoint(IPAddress.Parse(to), turn.Port), Users.Alice);
            var answer = await alice.RequestAsync(StunMethod.Binding);
            Assert.Equal(alice.LocalEndPoint, answer.Address(StunAttributeType.XorMappedAddress).ToIPEndPoint());
        }

        await using var stream = await client.TcpClientAsync(IPEndPoint.Parse("20.77.0.1:3478"));
        Assert.True((await stream.RequestAsync(StunMethod.Binding)).IsSuccess);
    }

    [Fact]
    public async Task Network_IsGone_AfterTheTest()
    {
        var network = await TestNetwork.CreateAsync();
        var machine = await network.AddAsync("gone");
        machine.WriteHosts("127.0.0.1 localhost\n");
        Assert.True(File.Exists($"/run/netns/{machine.Name}"));
        await network.DisposeAsync();
        Assert.False(File.Exists($"/run/netns/{machine.Name}"));
        Assert.False(Directory.Exists($"/etc/netns/{machine.Name}"));
    }
}
