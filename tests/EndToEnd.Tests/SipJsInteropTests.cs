using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>The page (JsSIP) and a softphone on SIP.js call each other. The SIP libraries share no code. Media goes through TURN.</summary>
[Collection(RunningSystem.Collection)]
public sealed class SipJsInteropTests(RunningSystem system)
{
    [Fact]
    [Requirement("3GPP-33.203-X.5.3")]
    [Requirement("RFC3264-8.4")]
    [Requirement("RFC4733-2.5")]
    public async Task PageCallsPeer_MediaIsRelayed_HeldByEither_MutedAndTonesHeard_PageHangsUp()
    {
        await using var alice = await OpenAliceAsync();
        await using var peer = await SipJsPeer.GoOnlineAsync(system);

        await alice.DialAsync(peer.Impu);
        Assert.Equal("\"Alice\" <sip:alice@webrtcims.local>", await peer.ExpectCallAsync());
        await peer.AcceptAsync();
        await alice.ExpectInCallAsync();
        await alice.WaitForMediaAsync();
        await peer.ExpectRelayedMediaAsync();
        Assert.Equal("relay", await alice.TextAsync("local-candidate-type"));
        Assert.Equal("relay", await alice.TextAsync("remote-candidate-type"));

        await alice.Get("hold").ClickAsync();
        await alice.ExpectTextAsync("status", "On hold");
        await peer.ExpectDirectionAsync("recvonly");
        await alice.Get("hold").ClickAsync();
        await alice.ExpectTextAsync("status", "In call");
        // The page shows the state before its re-INVITE has arrived. A re-INVITE of the peer would now collide with it.
        await peer.ExpectDirectionAsync("sendrecv");
        await peer.ExpectRelayedMediaAsync();

        await peer.HoldAsync(true);
        await alice.ExpectTextAsync("status", "put you on hold");
        await peer.HoldAsync(false);
        await alice.ExpectTextAsync("status", "In call");
        await peer.ExpectRelayedMediaAsync();

        // Both sides are muted, so that only the tones of the keys are received.
        await alice.Get("mute").ClickAsync();
        await peer.MuteAsync(true);
        await Sound.ListenAsync(peer.Page);
        await alice.Get("keys").ClickAsync();
        var heard = Sound.WaitForKeyAsync(peer.Page, 770, 1336);
        await alice.Get("key-5").ClickAsync();
        await heard;
        await Sound.ListenAsync(alice.Page);
        heard = Sound.WaitForKeyAsync(alice.Page, 852, 1477);
        await peer.SendTonesAsync("9");
        await heard;

        await alice.HangUpAsync();
        await peer.ExpectEndedAsync();
    }

    [Fact]
    [Requirement("3GPP-33.203-X.5.3")]
    public async Task PeerCallsPage_MediaIsRelayed_PeerHangsUp()
    {
        await using var alice = await OpenAliceAsync();
        await using var peer = await SipJsPeer.GoOnlineAsync(system);

        await peer.CallAsync("sip:alice@webrtcims.local");
        await alice.AcceptAsync("Guest");
        await alice.ExpectInCallAsync();
        await alice.WaitForMediaAsync();
        await peer.ExpectRelayedMediaAsync();

        await peer.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    [Requirement("RFC3261-21.4.18")]
    public async Task WhoeverCalls_GivingUpAndBusyAreUnderstood()
    {
        await using var alice = await OpenAliceAsync();
        await using var peer = await SipJsPeer.GoOnlineAsync(system);

        await peer.CallAsync("sip:alice@webrtcims.local");
        await alice.ExpectTextAsync("caller", "Guest");
        await peer.CancelAsync();
        await alice.ExpectTextAsync("status", "Missed call");
        await peer.ExpectEndedAsync();

        await alice.DialAsync(peer.Impu);
        await peer.ExpectCallAsync();
        await alice.ExpectTextAsync("status", "Ringing");
        await alice.HangUpAsync();
        await peer.ExpectEndedAsync();

        await alice.DialAsync(peer.Impu);
        await peer.ExpectCallAsync();
        await peer.RejectAsync(486);
        await alice.ExpectAlertAsync("Busy");

        await peer.CallAsync("sip:alice@webrtcims.local");
        await alice.Get("decline").ClickAsync();
        Assert.Equal(486, await peer.ExpectRefusalAsync());
    }

    [Fact]
    [Requirement("RFC3261-21.4.18")]
    public async Task PeerCallsWhoCannotBeReached_GetsTheCodes_AndACallThatNobodyAnswersEnds()
    {
        await using var peer = await SipJsPeer.GoOnlineAsync(system);

        foreach (var (impu, code) in new[] { ("sip:nobody@webrtcims.local", 404), ("sip:bob@webrtcims.local", 480) })
        {
            await peer.CallAsync(impu);
            Assert.Equal(code, await peer.ExpectRefusalAsync());
        }

        await using var alice = await OpenAliceAsync();
        await alice.DialAsync(peer.Impu);
        await peer.ExpectCallAsync();
        await peer.RejectAsync(408);
        await alice.ExpectAlertAsync("No answer");
    }

    private async Task<WicPage> OpenAliceAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.WaitUntilOnlineAsync();
        return wic;
    }
}
