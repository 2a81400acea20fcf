using System.Diagnostics.Metrics;
using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Tests.Hosting;
using WebRtcIms.Turn.Tests.Transport;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Telemetry;

/// <summary>Each reason to drop a packet occurs once, and is counted once under its name.</summary>
public sealed class DropReasonTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly HostFixture _fixture = new(settings: new EngineSettings
    {
        RelaysIPv6 = true,
        ChallengesPerSecond = 1,
        Traffic = new TrafficLimits(PacketsPerSecond: 1, BytesPerSecond: 0),
    });

    public static TheoryData<DropReason> All() => [.. Enum.GetValues<DropReason>().Where(reason => reason != DropReason.None)];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Reason_IsCountedOnceUnderItsName(DropReason reason)
    {
        if (reason == DropReason.NotSent)
        {
            await AssertSlowStreamIsCountedAsync();
            return;
        }

        using var drops = new Drops(_fixture.Node.Metrics);
        await CauseAsync(reason);

        Assert.Equal([(reason.ToString(), 1)], drops.Counted);
    }

    private async Task CauseAsync(DropReason reason)
    {
        var client = _fixture.NewClient();
        switch (reason)
        {
            case DropReason.Malformed:
                Receive(client, new byte[StunHeader.Length - 1]);
                break;
            case DropReason.WrongFingerprint:
                Receive(client, WithWrongFingerprint());
                break;
            case DropReason.UnexpectedMessage:
                Receive(client, StunRequest.Plain(StunMethod.Data));
                break;
            case DropReason.NoAllocation:
                Send(client, Peer);
                break;
            case DropReason.Busy:
                var answering = new TaskCompletionSource();
                _fixture.Redis.Answering = answering.Task;
                _fixture.Send(client, StunMethod.Allocate, StunRequest.UdpTransport);
                _fixture.Send(client, StunMethod.Allocate, StunRequest.UdpTransport);
                answering.SetResult();
                break;
            case DropReason.OverBudget:
                for (var i = 0; i < 11; i++) Receive(client, StunRequest.Plain(StunMethod.Binding));
                break;
            case DropReason.SourceForbidden:
                _fixture.Host.Receive(
                    StunRequest.Plain(StunMethod.Binding),
                    client.Flow with { Client = client.Flow.Client with { Port = 0 } }, _fixture.Path);
                break;
            case DropReason.Failed:
                _fixture.Host.Receive(StunRequest.Plain(StunMethod.Binding), client.Flow, new RecordingPath { IsBroken = true });
                break;
            default:
                await CauseWithAllocationAsync(client, reason);
                break;
        }
    }

    private async Task CauseWithAllocationAsync(EngineClient client, DropReason reason)
    {
        Assert.Equal(StunError.None, (await _fixture.AllocateAsync(client)).Error);
        switch (reason)
        {
            case DropReason.NoPermission:
                Send(client, Peer);
                break;
            case DropReason.UnknownAttributeInIndication:
                Send(client, Peer, (ref StunMessageWriter message) => message.Write((StunAttributeType)0x7FFF, [1]));
                break;
            case DropReason.UnboundChannel:
                Receive(client, [0x40, 0, 0, 4, 1, 2, 3, 4]);
                break;
            case DropReason.PeerForbidden:
                await PermitAsync(client, "203.0.113.1:1");
                Send(client, "203.0.113.1:6379");
                break;
            case DropReason.OverLimit:
                await PermitAsync(client, Peer);
                Send(client, Peer);
                Send(client, Peer);
                break;
            default:
                Assert.Fail($"{reason} needs a case");
                break;
        }
    }

    private static async Task AssertSlowStreamIsCountedAsync()
    {
        await using var fixture = new StreamFixture();
        using var drops = new Drops(fixture.Metrics);
        var path = new StreamPath(fixture.Connection, fixture.Metrics, fixture.Clock);

        // The stream itself takes some messages, so the first ones are not counted as waiting.
        for (var i = 0; i < 100 && drops.Counted.Count == 0; i++) path.Send(default, new byte[60_000]);

        Assert.Equal([(nameof(DropReason.NotSent), 1)], drops.Counted);
        await fixture.Client.Input.CompleteAsync();
        await path.DisposeAsync();
    }

    private static byte[] WithWrongFingerprint()
    {
        var octets = new byte[100];
        var message = new StunMessageWriter(octets, StunMethod.Binding, StunClass.Request, StunRequest.NewTransaction());
        message.AddFingerprint();
        octets[message.Length - 1] ^= 1;
        return octets[..message.Length];
    }

    private void Receive(EngineClient client, byte[] packet) => _fixture.Host.Receive(packet, client.Flow, _fixture.Path);

    private void Send(EngineClient client, string peer, WriteAttributes? more = null) =>
        Receive(client, StunRequest.SendIndication(IPEndPoint.Parse(peer), [1, 2, 3], more));

    private async Task PermitAsync(EngineClient client, string peer) => Assert.Equal(
        StunError.None, (await _fixture.AskAsync(client, StunMethod.CreatePermission, StunRequest.Peer(IPEndPoint.Parse(peer)))).Error);

    /// <summary>What the counter of drops has counted, by reason.</summary>
    private sealed class Drops : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Dictionary<string, long> _counted = [];

        public Drops(TurnMetrics metrics)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == metrics.Meter && instrument.Name == "turn.relay.drops")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
            {
                Assert.Equal("reason", tags[0].Key);
                lock (_counted) _counted[(string)tags[0].Value!] = _counted.GetValueOrDefault((string)tags[0].Value!) + count;
            });
            _listener.Start();
        }

        public List<(string Reason, long Count)> Counted
        {
            get
            {
                lock (_counted) return [.. _counted.Select(pair => (pair.Key, pair.Value))];
            }
        }

        public void Dispose() => _listener.Dispose();
    }
}
