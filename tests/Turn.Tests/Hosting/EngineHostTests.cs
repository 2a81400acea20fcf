using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Engine;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>The engine's host.</summary>
public sealed class EngineHostTests
{
    [Fact]
    [Requirement("ABUSE-83")]
    public void ExceptionInOnePacket_IsCounted_AndTheNextIsHandled()
    {
        var bench = new EngineBench();
        var node = new TestNode(bench, redis: null);
        List<string?> drops = [];
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Scope == node.Meters && instrument.Name == "turn.relay.drops")
                    self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => drops.Add((string?)tags[0].Value));
        listener.Start();

        var server = new EngineHost(
            bench.Engine, node.Admission, node.Metrics, TimeProvider.System, NullLogger<EngineHost>.Instance);
        var path = new BrokenPath();
        var request = TestClient.Plain(StunMethod.Binding);

        server.Receive(request, bench.NewFlow(), path);
        Assert.Equal(["Failed"], drops);
        path.IsBroken = false;
        server.Receive(request, bench.NewFlow(), path);

        Assert.Equal(1, path.Sent);
        Assert.Single(drops);
    }

    private sealed class BrokenPath : ClientPath
    {
        public bool IsBroken { get; set; } = true;

        public int Sent { get; private set; }

        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
        {
            if (IsBroken) throw new InvalidOperationException("broken on purpose");
            Sent++;
        }
    }
}
