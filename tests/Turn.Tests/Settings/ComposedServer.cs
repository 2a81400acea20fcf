using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Transport.Linux;
using WebRtcIms.Turn.Transport.Portable;

namespace WebRtcIms.Turn.Tests.Settings;

/// <summary>
/// All services of the server, as <see cref="TurnServices"/> composes them from settings, with the UDP transport running. Requests are
/// given to the first engine's host. The clock is the test's, and Redis is a <see cref="FakeRedis"/> if there is one.
/// </summary>
internal sealed class ComposedServer : IAsyncDisposable
{
    private readonly EngineFixture _engine = new();
    private readonly RecordingPath _path = new();
    private readonly IHost _host;
    private readonly List<IHostedService> _services;

    private ComposedServer(FakeRedis? redis, IEnumerable<(string Name, string Value)> settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        Dictionary<string, string?> values = new()
        {
            ["Turn:Realm"] = EngineFixture.Realm,
            ["Turn:StaticUsers:0:Name"] = "alice",
            ["Turn:StaticUsers:0:Password"] = "secret",
            ["Turn:Transport"] = "Portable",
            ["Turn:Port"] = $"{Port}",
            ["ConnectionStrings:redis"] = redis is null ? "" : "127.0.0.1:1",
        };
        foreach (var (name, value) in settings) values[name.Replace("__", ":", StringComparison.Ordinal)] = value;
        builder.Configuration.AddInMemoryCollection(values);
        builder.AddTurn(builder.Configuration.ReadTurnSettings());
        builder.Services.AddLogging(logging => logging.AddProvider(Logs));
        builder.Services.AddMetrics();
        builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Time));
        if (redis is not null) builder.Services.Replace(ServiceDescriptor.Singleton<IConnectionMultiplexer>(redis.Connection));
        _host = builder.Build();
        _services = [.. _host.Services.GetServices<IHostedService>().Where(service =>
            service is PortableTransport or LinuxTransport or AddressFollower)];
    }

    /// <summary>For UDP.</summary>
    public int Port { get; } = FreePorts.TcpAndUdp();

    public ObservedTime Time { get; } = new(TimeProvider.System.GetUtcNow());

    public LogRecorder Logs { get; } = new();

    public IReadOnlyList<EngineHost> Hosts => Get<IReadOnlyList<EngineHost>>();

    public static Task<ComposedServer> StartAsync(params (string Name, string Value)[] settings) => StartAsync(null, settings);

    public static async Task<ComposedServer> StartAsync(FakeRedis? redis, params (string Name, string Value)[] settings)
    {
        var server = new ComposedServer(redis, settings);
        foreach (var service in server._services) await service.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Messages for clients that no test has read.</summary>
    public int Unread => _path.Count;

    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    public EngineClient NewClient(StunCredential? credential = null, ClientTransport transport = ClientTransport.Udp) =>
        _engine.NewClient(credential, transport);

    public EngineClient NewClient(TestCredentials token) =>
        NewClient(StunCredential.NativeToken(token.Kid, token.Token, token.MacKey));

    public Task<StunAnswer> ChallengeAsync(EngineClient client) =>
        ExchangeAsync(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport), client.Flow);

    /// <summary>An authenticated request; fetches a nonce first when there is none.</summary>
    public async Task<StunAnswer> RequestAsync(EngineClient client, StunMethod method, WriteAttributes? attributes = null)
    {
        if (client.Nonce.Length == 0) client.Nonce = (await ChallengeAsync(client)).Value(StunAttributeType.Nonce);
        return await ExchangeAsync(client.Build(method, attributes), client.Flow);
    }

    public Task<StunAnswer> AllocateAsync(EngineClient client, WriteAttributes? attributes = null) =>
        RequestAsync(client, StunMethod.Allocate, attributes ?? StunRequest.UdpTransport);

    public async Task<StunError> AllocateErrorAsync(EngineClient client, WriteAttributes? attributes = null) =>
        (await AllocateAsync(client, attributes)).Error;

    /// <summary>The error of CreatePermission for a peer, from a client that has an allocation.</summary>
    public async Task<StunError> PermitAsync(EngineClient client, string peer) =>
        (await RequestAsync(client, StunMethod.CreatePermission, StunRequest.Peer(IPEndPoint.Parse(peer)))).Error;

    /// <summary>The error of ChannelBind, from a client that has an allocation.</summary>
    public async Task<StunError> BindAsync(EngineClient client, ushort channel, string peer) =>
        (await RequestAsync(client, StunMethod.ChannelBind, StunRequest.Channel(channel, IPEndPoint.Parse(peer)))).Error;

    /// <summary>Gives the server a packet that has no answer.</summary>
    public void Receive(byte[] packet, FiveTuple flow) => Hosts[0].Receive(packet, flow, _path);

    public async ValueTask DisposeAsync()
    {
        foreach (var host in Hosts) host.EndAll();
        foreach (var service in Enumerable.Reverse(_services)) await service.StopAsync(CancellationToken.None);
        _host.Dispose();
    }

    private async Task<StunAnswer> ExchangeAsync(byte[] request, FiveTuple flow)
    {
        Receive(request, flow);
        return await _path.ReadAsync();
    }
}
