using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Tests.Hosting;

namespace WebRtcIms.Turn.Tests.Telemetry;

/// <summary>What a trace shows of an allocation's life, and what is measured of it.</summary>
public sealed class SpanTests : IAsyncLifetime
{
    private const string Peer = "203.0.113.9:5000";

    private readonly ConcurrentQueue<Activity> _spans = new();
    private readonly ActivityListener _listener;
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;

    public SpanTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "WebRtcIms.Turn",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    public async Task AllocationsWholeLife_IsOneTrace_WithTotalsAtItsEnd()
    {
        var host = new HostFixture(redis: _connection!);
        var (token, next) = (host.Engine.NewToken(), host.Engine.NewToken("k2"));
        var (trace, nextTrace) = (await GrantAsync(token), await GrantAsync(next));
        var client = host.Engine.NewClient(token.Native);
        Assert.Equal(StunError.None, (await host.AskAsync(client, StunMethod.Allocate, StunRequest.UdpTransport)).Error);
        await host.AskAsync(client, StunMethod.CreatePermission, WritePeer);
        await host.AskAsync(client, StunMethod.ChannelBind, WriteChannel);
        await host.AskAsync(client, StunMethod.ChannelBind, WritePeer);
        await host.AskAsync(client, StunMethod.Refresh);
        Relay(host, client);

        client.Credential = next.Native;
        Assert.Equal(StunError.None, (await host.AskAsync(client, StunMethod.Refresh)).Error);
        await host.AskAsync(client, StunMethod.Refresh, (ref StunMessageWriter request) =>
            request.WriteUInt32(StunAttributeType.Lifetime, 0));

        await Eventually.IsTrueAsync(() => Spans(trace).Count == 8);
        var spans = Spans(trace);
        var allocate = spans.Single(span => span.DisplayName == "turn allocate");
        Assert.Equal("b7ad6b7169203331", allocate.ParentSpanId.ToHexString());
        Assert.All(spans.Where(span => span != allocate), span => Assert.Equal(allocate.SpanId, span.ParentSpanId));
        Assert.Equal(
            ["turn allocate", "turn channel-bind", "turn channel-bind", "turn create-permission", "turn refresh", "turn refresh",
                "turn refresh", "turn.allocation"],
            spans.Select(span => span.DisplayName).Order(StringComparer.Ordinal));
        Assert.Equal(
            [0, 400], spans.Where(span => span.DisplayName == "turn channel-bind").Select(span => (int)span.GetTagItem("turn.error_code")!)
                .Order());

        var renewal = spans.Single(span => span.GetTagItem("turn.renewal") is true);
        Assert.Equal("k2", renewal.GetTagItem("turn.kid"));
        Assert.Equal(nextTrace, Assert.Single(renewal.Links).Context.TraceId.ToHexString());

        var life = spans.Single(span => span.DisplayName == "turn.allocation");
        Assert.Equal("Deleted", life.GetTagItem("turn.allocation.end"));
        Assert.Equal("ipv4", life.GetTagItem("turn.allocation.families"));
        Assert.Equal("udp", life.GetTagItem("network.transport"));
        Assert.Equal(3L, life.GetTagItem("turn.packets.to_peers"));
        Assert.Equal(30L, life.GetTagItem("turn.bytes.to_peers"));
        Assert.Equal(2L, life.GetTagItem("turn.packets.to_client"));
        Assert.Equal(200L, life.GetTagItem("turn.bytes.to_client"));
        Assert.Equal(1L, life.GetTagItem("turn.drops.UnboundChannel"));
        Assert.Equal(1L, life.GetTagItem("turn.drops.NoPermission"));
        Assert.True(life.Duration >= renewal.StartTimeUtc - life.StartTimeUtc);

        var told = string.Join('\n', spans.SelectMany(span => span.TagObjects).Select(tag => $"{tag.Key}={tag.Value}"));
        foreach (var secret in new[] { token, next }.SelectMany(token =>
            new[] { Convert.ToBase64String(token.MacKey), Convert.ToBase64String(token.Octets), "198.51.100.7", "203.0.113.9" }))
            Assert.DoesNotContain(secret, told, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AllocationEnd.Expired)]
    [InlineData(AllocationEnd.StreamClosed)]
    [InlineData(AllocationEnd.Disconnected)]
    [InlineData(AllocationEnd.ServerStopped)]
    internal async Task EveryEnd_IsTold(AllocationEnd end)
    {
        var host = new HostFixture(redis: _connection!);
        var token = host.Engine.NewToken();
        var trace = await GrantAsync(token);
        var client = host.Engine.NewClient(token.Native, ClientTransport.Tls);
        await host.AskAsync(client, StunMethod.Allocate, StunRequest.UdpTransport);
        switch (end)
        {
            case AllocationEnd.Expired:
                host.Host.Allocations().Single().Allocation.Extend(default, 0);
                host.Host.Sweep();
                break;
            case AllocationEnd.StreamClosed:
                host.Host.StreamClosed(client.Flow);
                break;
            case AllocationEnd.Disconnected:
                Assert.Equal(1, host.Host.End((_, _) => true, AllocationEnd.Disconnected));
                break;
            default:
                host.Host.EndAll();
                break;
        }

        var life = Assert.Single(Spans(trace), span => span.DisplayName == "turn.allocation");
        Assert.Equal(end.ToString(), life.GetTagItem("turn.allocation.end"));
        Assert.Equal("tcp", life.GetTagItem("network.transport"));
        Assert.Equal(true, life.GetTagItem("tls.established"));
        Assert.Equal(0, host.Node.Quotas.Total);
    }

    [Fact]
    public async Task SetUpTime_IsMeasuredWithinItsSpan_SoThatTheExemplarLeadsThere()
    {
        var host = new HostFixture(redis: _connection!);
        List<(string Name, string? Trace)> measured = [];
        using var meters = new MeterListener();
        meters.ListenTo(host.Node.Meters, "turn.allocation.duration");
        meters.SetMeasurementEventCallback<double>((instrument, _, _, _) =>
        {
            lock (measured) measured.Add((instrument.Name, Activity.Current?.TraceId.ToHexString()));
        });
        meters.Start();
        var token = host.Engine.NewToken();
        var trace = await GrantAsync(token);
        await host.AskAsync(host.Engine.NewClient(token.Native), StunMethod.Allocate, StunRequest.UdpTransport);
        await Eventually.IsTrueAsync(() =>
        {
            lock (measured) return measured.Count > 0;
        });

        Assert.Equal(("turn.allocation.duration", trace), measured[0]);
    }

    private static void Relay(HostFixture host, EngineClient client)
    {
        var allocation = host.Host.Allocations().Single().Allocation;
        var path = new FakePath();
        foreach (ushort channel in new ushort[] { 0x4001, 0x4001, 0x4001, 0x4002 })
        {
            var data = new byte[14];
            BinaryPrimitives.WriteUInt16BigEndian(data, channel);
            BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(2), 10);
            host.Host.Receive(data, client.Flow, path);
        }

        foreach (var peer in new[] { Peer, Peer, "203.0.113.77:1" })
            host.Host.ReceiveFromPeer(allocation, EngineClient.Peer(peer), new byte[TurnEngine.Headroom + 100 + TurnEngine.Tailroom]);
    }

    private static void WritePeer(ref StunMessageWriter request) =>
        request.WriteXorAddress(StunAttributeType.XorPeerAddress, EngineClient.Peer(Peer));

    private static void WriteChannel(ref StunMessageWriter request)
    {
        request.Write(StunAttributeType.ChannelNumber, [0x40, 1, 0, 0]);
        WritePeer(ref request);
    }

    private List<Activity> Spans(string trace) => [.. _spans.Where(span => span.TraceId.ToHexString() == trace)];

    private async Task<string> GrantAsync(TestToken token, string flags = "01")
    {
        var trace = ActivityTraceId.CreateRandom().ToHexString();
        var id = System.Buffers.Text.Base64Url.EncodeToString(token.Octets.AsSpan(2, 12));
        var grant =
            JsonSerializer.Serialize(new { client_id = "wwsf", pseudonym = "u-1", traceparent = $"00-{trace}-b7ad6b7169203331-{flags}" });
        await _connection!.GetDatabase().StringSetAsync($"turn:grant:{token.Kid}:{id}", grant, TimeSpan.FromMinutes(1));
        return trace;
    }
}
