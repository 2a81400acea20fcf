using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Ended calls are counted by the Reason of the BYE, each once.</summary>
public sealed class CallEndTests : AliceAndBob
{
    [Theory]
    [InlineData("", "user")]
    [InlineData("Reason: RELEASE_CAUSE;cause=1;text=\"User ends call\"\r\n", "user")]
    [InlineData("Reason: RELEASE_CAUSE;cause=2;text=\"RTP/RTCP time-out\"\r\n", "media_lost")]
    [InlineData("reason: Q.850;cause=16, release_cause ;text=\"a, b;cause=1\"; cause=3\r\n", "media_lost")]
    [InlineData("Reason: SIP ;cause=408; text=\"RTP Timeout\"\r\n", "media_lost")]
    [InlineData("Reason: SIP;cause=500\r\n", "other")]
    [InlineData("Reason: ;;=\r\n", "other")]
    [Requirement("EXP-02")]
    public async Task Bye_IsCountedByItsReason_WhichTheOtherSideGets(string header, string reason)
    {
        var ok = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("BYE", ok, extra: header));
        var bye = await Bob.ExpectAsync("BYE");
        if (header.Length > 0) Assert.Contains(header[8..^2], bye["Reason"]);
        await Bob.AnswerAsync(bye, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");

        lock (App.Counts) Assert.Equal(1, App.Counts[$"epcscf.calls.ended reason={reason}"]);
    }

    [Fact]
    public async Task SecondByeOfACall_IsNotCounted()
    {
        var ok = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        foreach (var bye in new[] { await Bob.ExpectAsync("BYE"), await Bob.ExpectAsync("BYE") }) await Bob.AnswerAsync(bye, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.ExpectAsync("SIP/2.0 200");

        lock (App.Counts) Assert.Equal(1, App.Counts["epcscf.calls.ended reason=user"]);
    }

    [Fact]
    public async Task ByeThatIsRefused_IsNotCounted()
    {
        var ok = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("BYE", ok).Replace("Call-ID: ", "Call-ID: another-", StringComparison.Ordinal));
        await Alice.ExpectAsync("SIP/2.0 481");

        lock (App.Counts) Assert.DoesNotContain(App.Counts.Keys, key => key.StartsWith("epcscf.calls.ended", StringComparison.Ordinal));
    }

    private async Task<Received> CallAsync()
    {
        var (_, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Bob.ExpectAsync("ACK");
        return ok;
    }
}
