using System.Buffers;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A stream whose client has an allocation and says nothing.</summary>
public sealed class QuietStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("ABUSE-23")]
    [Requirement("RFC8656-5")]
    public async Task ClientThatSaysNothing_AndHasAnAllocation_IsKept_UntilTheAllocationEnds()
    {
        await using var fixture = new StreamFixture();
        foreach (var host in fixture.Hosts) host.Transport = new FakeTransport();
        var serving = fixture.ServeAsync();
        var challenge = await AskAsync(fixture, StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport));
        var allocated = await AskAsync(fixture, Allocate(challenge));
        Assert.Equal(StunError.None, allocated.Error);

        for (var minute = 0; minute < 5; minute++)
        {
            fixture.Clock.Advance(TimeSpan.FromSeconds(61));
            Assert.False(serving.IsCompleted);
        }

        Assert.True((await AskAsync(fixture, StunRequest.Plain(StunMethod.Binding))).IsSuccess);
        foreach (var host in fixture.Hosts) host.EndAll();
        for (var minute = 0; minute < 2; minute++) fixture.Clock.Advance(TimeSpan.FromSeconds(61));
        await serving.WaitAsync(Patience, Cancel);
    }

    private static byte[] Allocate(StunAnswer challenge)
    {
        var realm = challenge.Value(StunAttributeType.Realm);
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5("u"u8, realm, "p"u8, key);
        var request = new StunMessageWriter(new byte[512], StunMethod.Allocate, StunClass.Request, StunRequest.NewTransaction());
        StunRequest.UdpTransport(ref request);
        request.Write(StunAttributeType.Username, Encoding.UTF8.GetBytes("u"));
        request.Write(StunAttributeType.Realm, realm);
        request.Write(StunAttributeType.Nonce, challenge.Value(StunAttributeType.Nonce));
        request.AddMessageIntegrity(key);
        return request.Written.ToArray();
    }

    private static async Task<StunAnswer> AskAsync(StreamFixture fixture, byte[] request)
    {
        // A server that has given the stream up does not answer.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        await fixture.Client.Output.WriteAsync(request, limit.Token);
        var read = await fixture.Client.Input.ReadAsync(limit.Token);
        var answer = new StunAnswer(read.Buffer.ToArray());
        fixture.Client.Input.AdvanceTo(read.Buffer.End);
        return answer;
    }

    private sealed class FakeTransport : IRelayTransport
    {
        public AllocationDecision Bind(RelayRequest request) => new(StunError.None, new FakeRelay(EngineClient.Peer("127.0.0.1:50000")));

        public void Start(Relay relay, Allocation allocation)
        {
        }

        public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;
    }
}
