using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// Two users call each other, each with its own browser context. Both are registered with the IMS. Signalling goes through the eP-CSCF,
/// and media through the TURN server on both sides.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class PersonCallTests(RunningSystem system)
{
    [Fact]
    [Requirement("3GPP-33.203-X.5.3")]
    public async Task GuestCallsLoggedInUser_MediaIsRelayedOnBothSides()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        var caller = await guest.TextAsync("own-name");

        await guest.DialAsync("alice");
        await guest.ExpectTextAsync("status", "Ringing");
        await alice.AcceptAsync(caller);
        await ExpectRelayedMediaAsync(guest, alice);

        await alice.HangUpAsync();
        await guest.ExpectIdleAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    public async Task LoggedInUserCallsGuestFromTheDirectory_WithVideo()
    {
        await using var alice = await OpenAliceAsync();
        await using var guest = await OpenGuestAsync();
        var impu = await guest.TextAsync("own-impu");
        await alice.Get("with-video").CheckAsync();

        await alice.Get(impu).ClickAsync();
        await guest.ExpectTextAsync("caller", "Alice");
        await guest.Get("accept-video").ClickAsync();
        await ExpectRelayedMediaAsync(alice, guest);
        foreach (var wic in new[] { alice, guest })
            await wic.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=far-video]').videoWidth > 0");

        await alice.HangUpAsync();
        await guest.ExpectIdleAsync();
    }

    [Fact]
    [Requirement("RFC3264-8.4")]
    public async Task Hold_StopsTheMedia_ResumeBringsItBack()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);

        await guest.Get("hold").ClickAsync();
        await guest.ExpectTextAsync("status", "On hold");
        await alice.ExpectTextAsync("status", "put you on hold");
        await alice.Page.WaitForFunctionAsync(
            """
            async () => {
              const count = () => Number(document.querySelector('[data-testid=packets-sent]').textContent.replace(/\D/g, ''));
              const before = count();
              await new Promise(resolve => setTimeout(resolve, 2100));
              return count() - before <= 2;
            }
            """,
            null, new() { Timeout = 15_000 });

        await guest.Get("hold").ClickAsync();
        await guest.ExpectTextAsync("status", "In call");
        await alice.ExpectTextAsync("status", "In call");
        await guest.ExpectRisingMediaAsync();
        await alice.ExpectRisingMediaAsync();
        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    [Requirement("RFC4733-2.5")]
    public async Task MutedCallerPressesKeys_TheOtherSideReceivesTheTones()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);

        await guest.Get("mute").ClickAsync();
        Assert.Equal("true", await guest.Get("mute").GetAttributeAsync("aria-pressed"));
        await Sound.ListenAsync(alice.Page);
        await alice.Page.WaitForFunctionAsync(
            "() => { const bins = new Uint8Array(window.ear.frequencyBinCount); window.ear.getByteFrequencyData(bins); return Math.max(...bins) < 20; }",
            null, new() { Timeout = 10_000 });

        await guest.Get("keys").ClickAsync();
        foreach (var (key, row, column) in new[] { ("1", 697, 1209), ("#", 941, 1477) })
        {
            var heard = Sound.WaitForKeyAsync(alice.Page, row, column);
            await guest.Get("key-" + key).ClickAsync();
            await heard;
        }

        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    [Requirement("RFC3261-21.4.18")]
    public async Task CalleeDeclines_CallerIsShownBusy()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();

        await guest.DialAsync("alice");
        await alice.Get("decline").ClickAsync();

        await guest.ExpectAlertAsync("Busy");
        await Assertions.Expect(alice.Get("incoming")).ToBeHiddenAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CallerGivesUp_CalleeSeesAMissedCall()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        var caller = await guest.TextAsync("own-name");

        await guest.DialAsync("alice");
        await alice.ExpectTextAsync("caller", caller);
        await guest.HangUpAsync();

        await alice.ExpectTextAsync("status", "Missed call from " + caller);
        await Assertions.Expect(alice.Get("incoming")).ToBeHiddenAsync();
    }

    [Theory]
    [InlineData("nobody", "Nobody has this address")]
    [InlineData("bob", "Not online")]
    [InlineData("not an address", "That is not an address")]
    public async Task CalleeCannotBeReached_PageShowsWhy(string address, string text)
    {
        await using var guest = await OpenGuestAsync();
        await guest.DialAsync(address);
        await guest.ExpectAlertAsync(text);
    }

    [Fact]
    [Requirement("RFC5626-4.4")]
    public async Task WebSocketLostInACall_CallLivesOn_AndTheHangUpArrives()
    {
        await using var guest = await OpenGuestAsync(StealSockets);
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);

        await guest.Page.EvaluateAsync("() => window.sockets.at(-1).close()");
        await guest.ExpectTextAsync("online-state", "reconnecting");
        await guest.ExpectTextAsync("online-state", "Online", seconds: 5);
        await guest.ExpectRisingMediaAsync();
        await alice.ExpectRisingMediaAsync();

        await alice.HangUpAsync();
        await guest.ExpectIdleAsync();
    }

    /// <summary>Without a limit, Chromium would retransmit to the silent server for 40 s before the INVITE could be sent.</summary>
    [Fact]
    public async Task SilentTurnServer_DelaysTheCallByAMoment()
    {
        using var silent = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await guest.Page.RouteAsync("**/api/turn-token", async route =>
        {
            var answer = await route.FetchAsync();
            var token = JsonNode.Parse(await answer.TextAsync())!;
            token["ice_servers"]![0]!["urls"]!.AsArray()
                .Add($"turn:127.0.0.1:{((IPEndPoint)silent.Client.LocalEndPoint!).Port}?transport=udp");
            await route.FulfillAsync(new() { Response = answer, Body = token.ToJsonString() });
        });

        var clicked = Stopwatch.GetTimestamp();
        await CallAsync(guest, alice);
        Assert.True(Stopwatch.GetElapsedTime(clicked) < TimeSpan.FromSeconds(20), $"the call took {Stopwatch.GetElapsedTime(clicked)}");
        Assert.True(silent.Available > 0, "the browser sent nothing to the silent server");
        await ExpectRelayedMediaAsync(guest, alice);
        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    public async Task GuestReloads_AndKeepsTheIdentity()
    {
        await using var guest = await OpenGuestAsync();
        var impu = await guest.TextAsync("own-impu");
        await guest.Page.ReloadAsync();
        Assert.Equal(impu, await guest.WaitUntilOnlineAsync());
    }

    [Fact]
    public async Task OtherMicrophoneInACall_MediaGoesOn()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);

        await guest.Get("microphone").EvaluateAsync("element => { element.closest('details').open = true; }");
        await Assertions.Expect(guest.Get("microphone").Locator("option")).Not.ToHaveCountAsync(1);
        await guest.Get("microphone").SelectOptionAsync(new SelectOptionValue { Index = 1 });
        await guest.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=microphone-level]').value > 0");
        await guest.ExpectRisingMediaAsync();
        await alice.ExpectRisingMediaAsync();
        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    public async Task CheckBeforeACall_TriesEveryPart()
    {
        await using var guest = await OpenGuestAsync();
        await guest.Get("run-checks").EvaluateAsync("element => { element.closest('details').open = true; }");
        await guest.Get("run-checks").ClickAsync();
        foreach (var name in new[] { "microphone", "signalling", "token", "udp", "tcp" })
            await Assertions.Expect(guest.Get("check-" + name)).ToHaveAttributeAsync("data-state", "works", new() { Timeout = 15_000 });
        await Assertions.Expect(guest.Get("check-tls")).ToContainTextAsync("does not offer it");
    }

    private const string StealSockets =
        "window.sockets = []; window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); window.sockets.push(this); } };";

    private async Task<WicPage> OpenGuestAsync(string? script = null)
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress, script: script);
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        return wic;
    }

    private async Task<WicPage> OpenAliceAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.WaitUntilOnlineAsync();
        return wic;
    }

    private static async Task CallAsync(WicPage guest, WicPage alice)
    {
        var caller = await guest.TextAsync("own-name");
        await guest.DialAsync("alice");
        await alice.AcceptAsync(caller);
        await guest.ExpectInCallAsync();
        await alice.ExpectInCallAsync();
    }

    private static async Task ExpectRelayedMediaAsync(WicPage caller, WicPage callee)
    {
        foreach (var wic in new[] { caller, callee })
        {
            await wic.ExpectInCallAsync();
            await wic.WaitForMediaAsync();
            Assert.Equal("relay", await wic.TextAsync("local-candidate-type"));
            Assert.Equal("relay", await wic.TextAsync("remote-candidate-type"));
            Assert.Matches(new Regex(@"^127\.0\.0\.1:\d+$"), await wic.TextAsync("relay-candidate"));
            await wic.ExpectRisingMediaAsync();
            for (var step = 1; step <= 8; step++) Assert.Equal("done", await wic.Get($"step-{step}").GetAttributeAsync("data-state"));
        }

        Assert.Equal(await caller.TextAsync("trace-id"), await callee.TextAsync("trace-id"));
    }
}
