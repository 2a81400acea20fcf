using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// A call whose TURN server goes away. It heals if the server is back within a minute, and otherwise ends with the reason.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class SurvivalTests(RunningSystem system)
{
    private static readonly LocatorAssertionsToHaveAttributeOptions Patient = new() { Timeout = 30_000 };

    [Fact]
    [Requirement("RFC3261-14.1")]
    [Requirement("EXP-01")]
    [Requirement("EXP-33")]
    public async Task TurnIsBackWithinAMinute_BothPagesSayItAndTheCallGoesOn()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);
        await using (await system.WithoutAsync("turn"))
        {
            foreach (var wic in new[] { guest, alice })
            {
                await ExpectPhaseAsync(wic, "interrupted");
                await Assertions.Expect(wic.Get("give-up")).ToContainTextAsync("ends in 0:");
                // The alert does not lie over it.
                await wic.Get("give-up").ClickAsync(new() { Trial = true });
            }

            // Longer than the eleven seconds after which such a call used to end.
            await guest.Page.WaitForFunctionAsync(
                "() => Number(/0:(\\d+)/.exec(document.querySelector('[data-testid=give-up]').textContent)?.[1] ?? 99) < 45", null,
                new() { Timeout = 30_000 });
            foreach (var wic in new[] { guest, alice }) await ExpectPhaseAsync(wic, "interrupted");
        }

        foreach (var wic in new[] { guest, alice })
        {
            await ExpectPhaseAsync(wic, "inCall");
            await wic.ExpectRisingMediaAsync();
            Assert.Equal("", await wic.TextAsync("alert"));
            await Assertions.Expect(wic.Get("give-up")).ToBeHiddenAsync();
        }

        await alice.HangUpAsync();
        await guest.ExpectIdleAsync();
    }

    /// <summary>The caller gives up after a tenth of the time, and the callee gets its reason in the BYE.</summary>
    [Fact]
    [Requirement("EXP-01")]
    [Requirement("EXP-02")]
    public async Task TurnStaysAway_BothPagesShowTheReason_AndTheTraceHasIt()
    {
        await using var guest = await OpenGuestAsync(FastClock);
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);
        var traceId = await guest.TextAsync("trace-id");
        await using (await system.WithoutAsync("turn"))
        {
            foreach (var wic in new[] { guest, alice }) await ExpectPhaseAsync(wic, "interrupted");
            foreach (var wic in new[] { guest, alice })
            {
                await ExpectPhaseAsync(wic, "failed");
                await wic.ExpectAlertAsync("The call was lost");
                await Assertions.Expect(wic.Get("give-up")).ToBeHiddenAsync();
            }

            await alice.ExpectAlertAsync("The other side received nothing");
        }

        await system.ExpectFailureAsync(traceId, "", "renew credentials", "does not answer", "RTP/RTCP time-out");
    }

    [Fact]
    [Requirement("EXP-05")]
    public async Task VideoCall_CalleeChooses_AndBothTurnTheCameraOnAndOff()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await guest.Get("with-video").CheckAsync();
        await guest.DialAsync("alice");
        await Assertions.Expect(alice.Get("accept-video")).ToBeVisibleAsync();
        await alice.Get("accept").ClickAsync();
        foreach (var wic in new[] { guest, alice }) await wic.ExpectInCallAsync();

        // The callee sees the caller, and does not send.
        await ExpectPicturesAsync(alice, near: false, far: true);
        await ExpectPicturesAsync(guest, near: true, far: false);

        await alice.Get("camera-on").ClickAsync();
        await ExpectPicturesAsync(alice, near: true, far: true);
        await ExpectPicturesAsync(guest, near: true, far: true);
        await guest.Get("camera-on").ClickAsync();
        await ExpectPicturesAsync(guest, near: false, far: true);
        await ExpectPicturesAsync(alice, near: true, far: false);
        await alice.Get("camera-on").ClickAsync();
        await ExpectPicturesAsync(alice, near: false, far: false);

        foreach (var wic in new[] { guest, alice }) await wic.ExpectRisingMediaAsync();
        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    [Fact]
    [Requirement("EXP-05")]
    public async Task CallOfSound_GetsAPicture()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);
        await alice.Get("camera-on").ClickAsync();
        await ExpectPicturesAsync(alice, near: true, far: false);
        await ExpectPicturesAsync(guest, near: false, far: true);
        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    /// <summary>Monitoring scripts and extensions replace RTCPeerConnection in such ways.</summary>
    [Theory]
    [InlineData(
        """
        window.RTCPeerConnection = class extends RTCPeerConnection {
          get iceGatheringState() { return super.iceGatheringState; }
        };
        """)]
    [InlineData(
        """
        const Native = RTCPeerConnection;
        window.RTCPeerConnection = function (...all) {
          return new Proxy(new Native(...all), {
            get: (target, name) => {
              const value = Reflect.get(target, name, target);
              return typeof value === 'function' ? value.bind(target) : value;
            },
            set: (target, name, value) => Reflect.set(target, name, value, target),
          });
        };
        """)]
    [Requirement("EXP-08")]
    public async Task WrappedPeerConnection_CallsWork(string script)
    {
        await using var guest = await OpenGuestAsync(script);
        await using var alice = await OpenAliceAsync();
        await CallAsync(guest, alice);
        await guest.ExpectRisingMediaAsync();
        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }

    /// <summary>Without a network Chromium finds no candidate and reports no error.</summary>
    [Fact]
    [Requirement("EXP-06")]
    public async Task NoNetwork_IsSaidAtOnce()
    {
        await using var wic = await system.Chromium.OpenAsync(
            system.PageAddress,
            script: """
                window.RTCPeerConnection = class extends RTCPeerConnection {
                  addEventListener(type, ...more) { if (!/^ice(candidate|gathering)/.test(type)) super.addEventListener(type, ...more); }
                };
                """);
        await wic.ContinueAsGuestAsync();
        await wic.CallAsync();
        await wic.ExpectAlertAsync("No network", seconds: 10);
        await wic.ExpectAlertAsync("--allow-loopback-in-peer-connection");
    }

    // The page waits for a tenth of the minute.
    private const string FastClock =
        """
        const timer = window.setTimeout.bind(window);
        window.setTimeout = (handle, duration, ...more) =>
          timer(handle, duration >= 60_000 && duration <= 62_000 ? duration / 10 : duration, ...more);
        """;

    private static async Task ExpectPicturesAsync(WicPage wic, bool near, bool far)
    {
        var stage = wic.Page.Locator("#stage");
        await Assertions.Expect(stage).ToHaveAttributeAsync("data-near-video", near ? "true" : "false", Patient);
        await Assertions.Expect(stage).ToHaveAttributeAsync("data-far-video", far ? "true" : "false", Patient);
        await Assertions.Expect(wic.Get("camera-on")).ToHaveAttributeAsync("aria-pressed", near ? "true" : "false", Patient);
        foreach (var (id, shown) in new[] { ("near-video", near), ("far-video", far) })
        {
            if (!shown) await Assertions.Expect(wic.Get(id)).ToBeHiddenAsync();
            else await wic.Page.WaitForFunctionAsync($"() => document.querySelector('[data-testid={id}]').videoWidth > 0");
        }
    }

    private static Task ExpectPhaseAsync(WicPage wic, string phase) =>
        Assertions.Expect(wic.Page.Locator("#stage")).ToHaveAttributeAsync("data-phase", phase, Patient);

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

    private static async Task CallAsync(WicPage caller, WicPage callee)
    {
        var name = await caller.TextAsync("own-name");
        await caller.DialAsync("alice");
        await callee.AcceptAsync(name);
        await caller.ExpectInCallAsync();
        await callee.ExpectInCallAsync();
    }
}
