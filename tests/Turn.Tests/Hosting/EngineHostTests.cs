using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Admission;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>The engine's host.</summary>
public sealed class EngineHostTests
{
    [Fact]
    [Requirement("ABUSE-83")]
    public void ExceptionInOnePacket_IsCounted_AndTheNextIsHandled()
    {
        var fixture = new EngineFixture();
        var node = new TestNode(fixture, redis: null);
        List<string?> drops = [];
        using var listener = new MeterListener();
        listener.ListenTo(node.Meters, "turn.relay.drops");
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => drops.Add((string?)tags[0].Value));
        listener.Start();

        var server = new EngineHost(
            fixture.Engine, node.Admission, node.Metrics, TimeProvider.System, NullLogger<EngineHost>.Instance);
        var path = new RecordingPath { IsBroken = true };
        var request = StunRequest.Plain(StunMethod.Binding);

        server.Receive(request, fixture.NewFlow(), path);
        Assert.Equal(["Failed"], drops);
        path.IsBroken = false;
        server.Receive(request, fixture.NewFlow(), path);

        Assert.Equal(1, path.Count);
        Assert.Single(drops);
    }
}
