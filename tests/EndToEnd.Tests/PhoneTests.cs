using System.Text.RegularExpressions;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>What the telephone says about calls: who rings, for how long, how a call ended, and what the other side does.</summary>
[Collection(RunningSystem.Collection)]
public sealed class PhoneTests(RunningSystem system)
{
    private const string Alice = "sip:alice@webrtcims.local";
    private const string Bob = "sip:bob@webrtcims.local";

    [Fact]
    [Requirement("EXP-03")]
    [Requirement("EXP-04")]
    [Requirement("EXP-31")]
    [Requirement("EXP-33")]
    public async Task MissedCall_IsShownOnBothSides_WithoutATraceOfTheCallBefore()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAsync("alice");
        var caller = await guest.TextAsync("own-name");
        await alice.CallAsync();
        await alice.ExpectInCallAsync();
        await alice.HangUpAsync();
        await Assertions.Expect(alice.Get("step-1")).ToHaveAttributeAsync("data-state", "done");
        await Assertions.Expect(alice.Get("renewals")).ToBeHiddenAsync();

        await guest.DialAsync("alice");
        await guest.ExpectTextAsync("status", "Ringing · Alice", seconds: 30);
        await Assertions.Expect(guest.Get("call-timer")).ToHaveTextAsync(new Regex(@"^0:(0[1-9]|[1-5]\d)$"), Patience);
        await Assertions.Expect(guest.Get("ring-left")).ToHaveTextAsync(new Regex(@"^rings for [1-5]?\d s more$"), Patience);
        await alice.ExpectTextAsync("caller", caller, seconds: 30);
        await Assertions.Expect(alice.Get("incoming-time")).ToHaveTextAsync(
            new Regex(@"^0:(0[1-9]|[1-5]\d) · rings for [1-5]?\d s more$"), Patience);
        await alice.ExpectTextAsync("status", "Incoming call", seconds: 30);
        await Assertions.Expect(alice.Get("call-timer")).ToBeHiddenAsync();
        await Assertions.Expect(alice.Get("trace-id")).ToBeHiddenAsync();
        await Assertions.Expect(alice.Get("step-1")).ToHaveAttributeAsync("data-state", "pending");
        await guest.KeepAsync("phone-ringing");

        await guest.HangUpAsync();
        await Assertions.Expect(alice.Get("status")).ToHaveTextAsync(new Regex($@"^Missed call from {caller}, \d+:\d\d"), Patience);
        await Assertions.Expect(alice.Get("call-timer")).ToBeHiddenAsync();
        await Assertions.Expect(RowOf(alice, caller)).ToContainTextAsync("Missed");
        await Assertions.Expect(RowOf(alice, "Test call")).ToContainTextAsync("Connected for");
        await Assertions.Expect(RowOf(guest, "Alice")).ToContainTextAsync("Cancelled");

        await alice.KeepAsync("phone-missed");
        await RowOf(alice, caller).GetByRole(AriaRole.Button).ClickAsync();
        await guest.ExpectTextAsync("caller", "Alice", seconds: 30);
        await guest.Get("decline").ClickAsync();
        await alice.ExpectAlertAsync("Busy");
        await Assertions.Expect(RowOf(guest, "Alice").First).ToContainTextAsync("You declined");

        await alice.Get("sign-out").ClickAsync();
        await alice.ContinueAsGuestAsync();
        await alice.WaitUntilOnlineAsync();
        await Assertions.Expect(alice.Get("calls").Locator("li")).ToHaveCountAsync(0);
    }

    [Fact]
    [Requirement("EXP-03")]
    public async Task NobodyAnswers_BothSidesSaySo()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAsync("alice");
        var caller = await guest.TextAsync("own-name");
        await alice.Page.Clock.InstallAsync();

        await guest.DialAsync("Alice");
        await alice.ExpectTextAsync("caller", caller, seconds: 30);
        await alice.Page.Clock.FastForwardAsync(60_500);

        await guest.ExpectAlertAsync("No answer");
        await guest.ExpectTextAsync("status", "No answer · Alice", seconds: 30);
        await Assertions.Expect(RowOf(guest, "Alice")).ToContainTextAsync("No answer");
        await alice.ExpectTextAsync("status", "Missed call from " + caller, seconds: 30);
        await Assertions.Expect(alice.Get("incoming")).ToBeHiddenAsync();
        await Assertions.Expect(RowOf(alice, caller)).ToContainTextAsync("Missed");
    }

    [Fact]
    [Requirement("EXP-07")]
    [Requirement("EXP-32")]
    public async Task PeopleAreShownByName_AndNobodyCallsThemselves()
    {
        await using var alice = await OpenAsync("alice");
        foreach (var typed in new[] { "alice", "Alice", Alice })
        {
            await alice.DialAsync(typed);
            await alice.ExpectAlertAsync("You cannot call yourself");
        }

        await alice.DialAsync("sip:guest-49@webrtcims.local");
        await alice.ExpectAlertAsync("Not online");
        await Assertions.Expect(RowOf(alice, "Guest 49")).ToContainTextAsync("Not online");
    }

    [Fact]
    [Requirement("EXP-34")]
    public async Task SecondCall_IsAcceptedByHoldingTheFirst_AndTheOtherSideReadsWhy()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAsync("alice");
        await using var bob = await OpenAsync("bob");
        var caller = await guest.TextAsync("own-name");
        await guest.DialAsync("alice");
        await alice.AcceptAsync(caller);
        await guest.ExpectInCallAsync();
        await alice.ExpectInCallAsync();

        await alice.Get("mute").ClickAsync();
        await guest.ExpectTextAsync("status", "Alice is muted", seconds: 30);
        await alice.Get("mute").ClickAsync();
        await guest.ExpectTextAsync("status", "In call, relayed by TURN · Alice", seconds: 30);

        await bob.DialAsync("alice");
        await alice.ExpectTextAsync("caller", "Bob", seconds: 30);
        await alice.ExpectTextAsync("accept", "Hold and accept", seconds: 30);
        await alice.KeepAsync("phone-second-call");
        Assert.Empty((await alice.Page.RunAxe()).Violations);
        await alice.Get("decline").ClickAsync();
        await bob.ExpectAlertAsync("Busy");
        await alice.ExpectTextAsync("status", caller, seconds: 30);

        await bob.DialAsync("alice");
        await alice.AcceptAsync("Bob");
        await guest.ExpectTextAsync("status", "Alice put you on hold", seconds: 30);
        await bob.ExpectInCallAsync();
        await alice.ExpectTextAsync("status", "In call, relayed by TURN · Bob", seconds: 30);
        await alice.ExpectTextAsync("other-line", caller + " is on hold", seconds: 30);
        await alice.WaitForMediaAsync();
        await alice.KeepAsync("phone-two-lines");
        Assert.Empty((await alice.Page.RunAxe()).Violations);

        await alice.Get("swap").ClickAsync();
        await bob.ExpectTextAsync("status", "Alice put you on hold", seconds: 30);
        await guest.ExpectTextAsync("status", "In call, relayed by TURN · Alice", seconds: 30);
        await alice.ExpectTextAsync("other-line", "Bob is on hold", seconds: 30);
        await alice.ExpectTextAsync("status", caller, seconds: 30);
        await alice.ExpectRisingMediaAsync();
        Assert.Equal(await guest.TextAsync("trace-id"), await alice.TextAsync("trace-id"));

        await alice.HangUpAsync();
        await guest.ExpectIdleAsync();
        await alice.ExpectTextAsync("status", "On hold · Bob", seconds: 30);
        await alice.Get("hold").ClickAsync();
        await bob.ExpectTextAsync("status", "In call", seconds: 30);
        await bob.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    [Requirement("EXP-34")]
    public async Task Transfer_ConnectsTheOtherTwo_OrSaysWhyNot()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAsync("alice");
        await using var bob = await OpenAsync("bob");
        var caller = await guest.TextAsync("own-name");
        await guest.DialAsync("alice");
        await alice.AcceptAsync(caller);
        await guest.ExpectInCallAsync();
        await alice.ExpectInCallAsync();

        await TransferAsync(alice, Bob);
        await bob.ExpectTextAsync("caller", caller, seconds: 30);
        await alice.ExpectTextAsync("status", $"Transferring {caller} to Bob", seconds: 30);
        await guest.ExpectTextAsync("other-line", "Alice is on hold", seconds: 30);
        await bob.Get("decline").ClickAsync();
        await alice.ExpectAlertAsync("The call was not transferred");
        await alice.ExpectTextAsync("status", "In call, relayed by TURN · " + caller, seconds: 30);
        await guest.ExpectTextAsync("status", "In call, relayed by TURN · Alice", seconds: 30);
        await guest.ExpectRisingMediaAsync();

        await TransferAsync(alice, Bob);
        await bob.AcceptAsync(caller);
        await alice.ExpectIdleAsync();
        await alice.ExpectTextAsync("status", $"{caller} now talks to Bob", seconds: 30);
        await guest.ExpectTextAsync("status", "In call, relayed by TURN · Bob", seconds: 30);
        await Assertions.Expect(guest.Get("other-line")).ToBeHiddenAsync();
        await guest.WaitForMediaAsync();
        await bob.HangUpAsync();
        await guest.ExpectIdleAsync();
        await Assertions.Expect(RowOf(alice, caller)).ToContainTextAsync("Transferred after");
    }

    /// <summary>The page does not poll: the list comes over the WebSocket that it has anyway.</summary>
    [Fact]
    [Requirement("EXP-35")]
    public async Task PersonWhoComesOrGoes_IsPushedToThePage()
    {
        await using var guest = await OpenGuestAsync();
        var polls = 0;
        guest.Page.Request += (_, request) => polls += request.Url.EndsWith("/api/directory", StringComparison.Ordinal) ? 1 : 0;
        await Assertions.Expect(guest.Get(Bob)).ToHaveCountAsync(0, Count);
        await using (var bob = await OpenAsync("bob"))
        {
            await Assertions.Expect(guest.Get(Bob)).ToHaveTextAsync("Call", Patience);
            await Assertions.Expect(guest.Get("people-none")).ToBeHiddenAsync();
            await bob.Get("sign-out").ClickAsync();
            await Assertions.Expect(guest.Get(Bob)).ToHaveCountAsync(0, Count);
        }

        Assert.Equal(0, polls);
    }

    [Fact]
    public async Task LinkWithAName_CallsAfterOneTap_AndNeverByItself()
    {
        await using var alice = await OpenAsync("alice");
        await alice.Get("invite").Locator("summary").ClickAsync();
        var link = await alice.TextAsync("invite-link");
        Assert.EndsWith("/?call=alice", link, StringComparison.Ordinal);
        await Assertions.Expect(alice.Get("invite-qr").Locator("svg path")).ToHaveAttributeAsync(
            "d", new Regex("^(M[0-9]+ [0-9]+h1v1h-1z)+$"));

        await using var guest = await system.Chromium.OpenAsync(new Uri(link));
        await guest.ExpectTextAsync("guest", "Continue as guest and call Alice", seconds: 30);
        await guest.ContinueAsGuestAsync();
        await guest.ExpectTextAsync("status", "Ringing · Alice", seconds: 30);
        await alice.Get("decline").ClickAsync();
        await guest.ExpectAlertAsync("Busy");

        // A user who is signed in already also has to click.
        await guest.Page.GotoAsync(link);
        await guest.WaitUntilOnlineAsync();
        await Assertions.Expect(guest.Get("to")).ToHaveValueAsync("Alice");
        await Assertions.Expect(guest.Get("call")).ToBeFocusedAsync();
        await Assertions.Expect(guest.Page.Locator("#stage")).ToHaveAttributeAsync("data-phase", "idle");
    }

    [Fact]
    public async Task RingInAHiddenTab_NotifiesWithTheCallersName()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAsync("alice", HiddenWithNotifications);
        var caller = await guest.TextAsync("own-name");
        await guest.DialAsync("alice");
        await alice.Page.WaitForFunctionAsync("name => window.notified.some(text => text === `${name} calls`)", caller);
        Assert.Equal(caller + " calls", await alice.Page.TitleAsync());
        await guest.HangUpAsync();
        await alice.Page.WaitForFunctionAsync("() => window.notified.length === 0");
        await alice.ExpectTextAsync("status", "Missed call", seconds: 30);
        Assert.Equal("WebRtcIms", await alice.Page.TitleAsync());
    }

    private const string HiddenWithNotifications =
        """
        window.notified = [];
        Object.defineProperty(document, 'hidden', { get: () => true });
        window.Notification = class extends EventTarget {
          static permission = 'granted';
          constructor(title) { super(); this.title = title; window.notified.push(title); }
          close() { window.notified = window.notified.filter(title => title !== this.title); }
        };
        """;

    private static readonly LocatorAssertionsToHaveCountOptions Count = new() { Timeout = 30_000 };
    private static readonly LocatorAssertionsToHaveTextOptions Patience = new() { Timeout = 20_000 };

    private static async Task TransferAsync(WicPage wic, string impu)
    {
        await wic.Get("transfer").ClickAsync();
        await wic.Get("transfer-" + impu).ClickAsync();
    }

    private static ILocator RowOf(WicPage wic, string name) =>
        wic.Get("calls").Locator("li").Filter(new() { Has = wic.Page.Locator(".person", new() { HasTextString = name }) });

    private async Task<WicPage> OpenGuestAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        return wic;
    }

    private async Task<WicPage> OpenAsync(string user, string? script = null)
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress, script: script);
        await wic.LogInAsync(user, user == DemoUser.Name ? DemoUser.Password : "bob-calls-alice");
        await wic.WaitUntilOnlineAsync();
        return wic;
    }
}
