using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>Packets of moved clients get from the worker that received them to the worker with their allocation (RFC 8016).</summary>
public sealed class HandOverTests
{
    private const int Queued = 1024;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly EngineFixture _engine = new();
    private readonly FakePath _path = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Packets_ArriveInOrder_AsCopies()
    {
        var dropped = 0;
        var queue = new HandOver(() => dropped++);
        var (first, second) = (_engine.NewFlow(), _engine.NewFlow());
        byte[] packet = [1, 2, 3];
        queue.Add(packet, first, _path);
        packet[0] = 9;
        queue.Add(packet.AsSpan(0, 1), second, ClientPath.Closed);
        queue.Add([], first, _path);

        var received = await ReceiveAsync(queue, 3);

        Assert.Equal([("010203", first, _path), ("09", second, ClientPath.Closed), ("", first, _path)], received);
        Assert.Equal(0, dropped);
    }

    [Fact]
    [Requirement("ABUSE-27")]
    public async Task FullQueue_DropsTheNewest_AndCountsThem()
    {
        var dropped = 0;
        var queue = new HandOver(() => dropped++);
        for (var i = 0; i < Queued + 2; i++) queue.Add([(byte)(i >> 8), (byte)i], _engine.NewFlow(), _path);
        Assert.Equal(2, dropped);

        var received = await ReceiveAsync(queue, Queued);
        Assert.Equal("0000", received[0].Octets);
        Assert.Equal("03FF", received[^1].Octets);

        // There is room again.
        queue.Add([7], _engine.NewFlow(), _path);
        Assert.Equal("07", Assert.Single(await ReceiveAsync(queue, 1)).Octets);
        Assert.Equal(2, dropped);
    }

    [Fact]
    [Requirement("RFC8016-3.2.2")]
    public async Task PacketOfAMovedClient_IsHandledByTheWorkerWithItsAllocation_OverAPathOfThatWorker()
    {
        var mobile = new MobileAllocations(new MobilityTickets(new byte[32]));
        using var first = new RecordedHost(mobile: mobile);
        using var second = new RecordedHost(mobile: mobile, number: 1);
        first.Host.Workers = second.Host.Workers = [first.Host, second.Host];
        var own = new RecordingPath([]);
        first.Datagrams.OwnPath = own;
        var client = first.NewClient();
        var ticket = first.Ask(
            client, StunMethod.Allocate, StunRequest.UdpWith(StunAttributeType.MobilityTicket))!.Value(StunAttributeType.MobilityTicket);
        first.Ask(client, StunMethod.CreatePermission, StunRequest.Peer(RecordedHost.Peer));
        var moved = first.NewClient();
        first.Ask(moved, StunMethod.Refresh, StunRequest.Value(StunAttributeType.MobilityTicket, ticket));

        // The kernel gives the packets of the new 5-tuple to the second worker.
        Assert.Null(second.Receive(moved, StunRequest.SendIndication(RecordedHost.Peer, [1, 2])));
        Assert.Null(second.Receive(moved, moved.Build(StunMethod.Refresh)));
        Assert.Empty(second.Measurements.Of("turn.relay.drops"));
        Assert.Empty(first.Datagrams.Relays[0].Sent);

        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var receiving = first.Host.ReceiveHandedOverAsync(stopping.Token);
        Assert.True(SpinWait.SpinUntil(() => own.Sent.Count == 1, Limit));
        await stopping.CancelAsync();
        await receiving.WaitAsync(Limit, Cancel);

        Assert.Equal([("203.0.113.9:5000", "0102", false)], first.Datagrams.Relays[0].Sent);
        Assert.Equal(StunError.None, new StunAnswer(own.Sent[0].Octets).Error);
        Assert.Equal(moved.Flow.Client, own.Sent[0].Client);
    }

    [Fact]
    public void PacketForAWorkerThatIsBusy_IsDroppedAndCounted()
    {
        using var host = new RecordedHost();
        for (var i = 0; i <= Queued; i++) host.Host.HandOver.Add([1], _engine.NewFlow(), _path);

        Assert.Equal(1, host.Drops(DropReason.Busy));
    }

    private static async Task<List<(string Octets, FiveTuple Flow, ClientPath Path)>> ReceiveAsync(HandOver queue, int count)
    {
        List<(string, FiveTuple, ClientPath)> received = [];
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var receiving = queue.ReceiveAsync(
            (ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path) =>
            {
                received.Add((Convert.ToHexString(packet), flow, path));
                if (received.Count == count) stopping.Cancel();
            },
            stopping.Token);
        await receiving.WaitAsync(Limit, Cancel);
        return received;
    }
}
