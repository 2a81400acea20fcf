using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Addresses;

/// <summary>What the server listens on and talks to is not a peer, in every form in which the configuration may have it.</summary>
[Requirement("NET-04")]
[Requirement("NET-05")]
[Requirement("ABUSE-63")]
public sealed class OwnAddressTests
{
    private static readonly string[] OfThisMachine = ["127.0.0.1", "127.3.2.1", "::1", "9.9.9.9", "2620:fe::9", "::ffff:9.9.9.9"];

    [Theory]
    [InlineData("urls", "http://+:8083")]
    [InlineData("urls", "http://*:8083")]
    [InlineData("urls", "http://0.0.0.0:8083")]
    [InlineData("urls", "http://[::]:8083")]
    [InlineData("urls", "http://[0:0:0:0:0:0:0:0]:8083")]
    [InlineData("urls", "HTTP://0.0.0.0:8083/")]
    [InlineData("urls", "http://any.name.at.all:8083")]
    [InlineData("urls", "https://localhost:8443;http://*:8083")]
    [InlineData("http_ports", "8082;8083")]
    [InlineData("https_ports", "8083")]
    [InlineData("Kestrel:Endpoints:Http:Url", "http://*:8083")]
    [InlineData("Kestrel:Endpoints:Any:Url", "https://[::]:8083")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://0.0.0.0:8083")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:8083")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1]:8083/v1/traces")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:8083")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.1:8083")]
    [InlineData("FlowView:Endpoint", "http://[::]:8083")]
    [InlineData("ConnectionStrings:redis", "localhost:8083,password=p")]
    [InlineData("ConnectionStrings:redis", "0.0.0.0:8083")]
    [InlineData("ConnectionStrings:redis", "10.0.0.9:6379,[::1]:8083")]
    public async Task PortOfThisMachine_IsClosedAtAllItsAddresses(string setting, string value)
    {
        var policy = await PolicyAsync((setting, value));

        foreach (var address in OfThisMachine)
        {
            Assert.True(policy.IsOwn(Peer(address, 8083)), address);
            Assert.False(policy.MayReach(Peer(address, 8083), isTcp: true), address);
            Assert.False(policy.IsOwn(Peer(address, 9)), address);
        }

        Assert.False(policy.IsOwn(Peer("8.8.8.8", 8083)));
    }

    [Theory]
    [InlineData("urls", "http://9.9.9.9:8083", "9.9.9.9")]
    [InlineData("urls", "http://[2620:fe::9]:8083", "2620:fe::9")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://10.0.0.9:8083", "10.0.0.9")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:8083", "10.0.0.7")]
    [InlineData("FlowView:Endpoint", "https://COLLECTOR.example:8083", "10.0.0.7")]
    [InlineData("ConnectionStrings:redis", "10.0.0.9:8083,ssl=true", "10.0.0.9")]
    [InlineData("ConnectionStrings:redis", "collector.example:8083", "10.0.0.7")]
    [InlineData("KeyDelivery", "https://collector.example:8083", "10.0.0.7")]
    public async Task OneAddress_IsClosedAtItsPort(string setting, string value, string address)
    {
        var policy = await PolicyAsync((setting, value));

        Assert.True(policy.IsOwn(Peer(address, 8083)));
        Assert.False(policy.IsOwn(Peer(address, 8084)));
        Assert.False(policy.IsOwn(Peer("10.0.0.10", 8083)));
    }

    [Theory]
    [InlineData("urls", "not a url")]
    [InlineData("urls", "http://unix:/tmp/management.sock")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://unknown.example:4317")]
    [InlineData("FlowView:Endpoint", " ")]
    public async Task ValueWithoutAnAddress_ClosesNothingElse(string setting, string value) =>
        Assert.False((await PolicyAsync((setting, value))).IsOwn(Peer("9.9.9.9", 4317)));

    [Fact]
    public async Task Name_IsFollowedToItsNextAddress()
    {
        var known = "10.0.0.7";
        var names = new HostNames(NullLogger<HostNames>.Instance, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse(known)]));
        var own = Own(names, ("FlowView:Endpoint", "http://collector.example:8083"));
        await names.ResolveAsync(TestContext.Current.CancellationToken);
        Assert.Contains(Peer("10.0.0.7", 8083), own.Read([]));

        known = "10.0.0.8";
        await names.ResolveAsync(TestContext.Current.CancellationToken);
        Assert.Contains(Peer("10.0.0.8", 8083), own.Read([]));
        Assert.DoesNotContain(Peer("10.0.0.7", 8083), own.Read([]));
    }

    [Fact]
    public async Task NameThatIsNotFoundForAWhile_KeepsItsAddress()
    {
        var isKnown = true;
        var names = new HostNames(NullLogger<HostNames>.Instance, (_, _) => isKnown
            ? Task.FromResult<IPAddress[]>([IPAddress.Parse("10.0.0.7")])
            : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.TryAgain)));
        Assert.Empty(names.AddressesOf("turn.example"));
        await names.ResolveAsync(TestContext.Current.CancellationToken);
        isKnown = false;
        await names.ResolveAsync(TestContext.Current.CancellationToken);

        Assert.Equal("10.0.0.7", Assert.Single(names.AddressesOf("turn.example")).ToString());
    }

    [Fact]
    public async Task NodesThatTheClientOfRedisHasFound_AreClosedAlso()
    {
        List<EndPoint> nodes = [];
        var names = new HostNames(
            NullLogger<HostNames>.Instance, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("10.0.0.12")]));
        var own = new OwnAddresses(new TurnSettings(), new ConfigurationBuilder().Build(), names, () => nodes);
        Assert.DoesNotContain(Peer("10.0.0.11", 6379), own.Read([]));

        nodes.AddRange([IPEndPoint.Parse("10.0.0.11:6379"), new DnsEndPoint("node2.example", 6380)]);
        own.Read([]);
        await names.ResolveAsync(TestContext.Current.CancellationToken);
        Assert.Contains(Peer("10.0.0.11", 6379), own.Read([]));
        Assert.Contains(Peer("10.0.0.12", 6380), own.Read([]));
    }

    private static TransportAddress Peer(string address, int port) =>
        TransportAddress.From(new IPEndPoint(IPAddress.Parse(address), port));

    private static async Task<PeerPolicy> PolicyAsync(params (string Name, string Value)[] settings)
    {
        var names = new HostNames(NullLogger<HostNames>.Instance, (name, _) => name == "collector.example"
            ? Task.FromResult<IPAddress[]>([IPAddress.Parse("10.0.0.7")])
            : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound)));
        var own = Own(names, settings);
        await names.ResolveAsync(TestContext.Current.CancellationToken);
        return new PeerPolicy([], [], own.Read([]), opensMachine: true)
        {
            Machine = OfThisMachine.Select(InternetAddress.Parse).ToHashSet(),
        };
    }

    private static OwnAddresses Own(HostNames names, params (string Name, string Value)[] settings)
    {
        var delivery = settings.FirstOrDefault(setting => setting.Name == "KeyDelivery").Value;
        return new OwnAddresses(
            new TurnSettings { KeyDelivery = delivery is null ? null : new KeyDeliverySettings { Address = delivery } },
            new ConfigurationBuilder().AddInMemoryCollection(settings.Select(it => KeyValuePair.Create(it.Name, (string?)it.Value))).Build(),
            names);
    }
}
