using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>A call whose TURN server goes away: it heals if the server is back within a minute, and ends with the reason otherwise.</summary>
[Collection(RunningSystem.Collection)]
public sealed class SurvivalTests(RunningSystem system)
{
    private static readonly LocatorAssertionsToHaveAttributeOptions Patient = new() { Timeout = 30_000 };

    [Fact]
    [Requirement("RFC3261-14.1")]
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

    private static Task ExpectPhaseAsync(WicPage wic, string phase) =>
        Assertions.Expect(wic.Page.Locator("#stage")).ToHaveAttributeAsync("data-phase", phase, Patient);

    private async Task<WicPage> OpenGuestAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
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
