using System.Buffers;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Hosting;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A stream whose client has an allocation and says nothing.</summary>
public sealed class QuietStreamTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("ABUSE-23")]
    [Requirement("RFC8656-5")]
    public async Task ClientThatSaysNothing_AndHasAnAllocation_IsKept_UntilTheAllocationEnds()
    {
        await using var fixture = new StreamFixture();
        var transport = new FakeTransport(new TurnSettings { ListenAddress = "127.0.0.1" });
        foreach (var host in fixture.Hosts) host.Transport = transport;
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

    private static byte[] Allocate(StunAnswer challenge) => StunRequest.Authenticated(
        StunMethod.Allocate, StunRequest.UdpTransport, StunCredential.Password("u", "p"), challenge.Challenge);

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
}
