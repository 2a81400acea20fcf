using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A client that begins a message and does not end it.</summary>
public sealed class FrameTimeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("ABUSE-23")]
    public async Task MessageThatStalls_IsGivenUpAfterThirtySeconds()
    {
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        await fixture.Client.Output.WriteAsync(StunRequest.Plain(StunMethod.Binding).AsMemory(0, 19), Cancel);
        fixture.Clock.Advance(TimeSpan.FromSeconds(29.9));
        Assert.False(serving.IsCompleted);

        fixture.Clock.Advance(TimeSpan.FromSeconds(0.2));
        await serving.WaitAsync(Patience, Cancel);
    }

    [Fact]
    [Requirement("ABUSE-23")]
    public async Task MessageThatDrips_IsGivenUpAfterThirtySeconds_HoweverOftenAnOctetComes()
    {
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        var request = StunRequest.Plain(StunMethod.Binding);
        for (var i = 0; i < 6; i++)
        {
            await fixture.Client.Output.WriteAsync(request.AsMemory(i, 1), Cancel);
            fixture.Clock.Advance(TimeSpan.FromSeconds(5.1));
        }

        await serving.WaitAsync(Patience, Cancel);
    }

    [Fact]
    [Requirement("ABUSE-23")]
    public async Task ClientThatSaysNothing_AndHasNoAllocation_IsGivenUpAfterAMinute()
    {
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        fixture.Clock.Advance(TimeSpan.FromSeconds(59.9));
        Assert.False(serving.IsCompleted);

        fixture.Clock.Advance(TimeSpan.FromSeconds(0.2));
        await serving.WaitAsync(Patience, Cancel);
    }

    [Fact]
    public async Task ClientThatEndsEachMessageInTime_IsKept()
    {
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        for (var i = 0; i < 2; i++)
        {
            // The end of one message and the beginning of the next.
            var request = StunRequest.Plain(StunMethod.Binding);
            await fixture.Client.Output.WriteAsync(request.AsMemory(0, 10), Cancel);
            fixture.Clock.Advance(TimeSpan.FromSeconds(25));
            await fixture.Client.Output.WriteAsync(request.AsMemory(10), Cancel);
            var answer = await fixture.Client.Input.ReadAsync(Cancel);
            Assert.Equal(request[8..20], answer.Buffer.FirstSpan[8..20].ToArray());
            fixture.Client.Input.AdvanceTo(answer.Buffer.End);
        }

        Assert.False(serving.IsCompleted);
        await fixture.Client.Output.CompleteAsync();
        await serving.WaitAsync(Patience, Cancel);
    }
}
