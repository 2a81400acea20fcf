using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>Log-in without a password, and its limits (scenario 2).</summary>
[Collection(RunningSystem.Collection)]
public sealed class LoginTests(RunningSystem system)
{
    [Fact]
    public async Task PasskeyAddedOnce_LogsInWithoutNameAndPassword()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await AddAuthenticatorAsync(wic.Page);
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.WaitUntilOnlineAsync();

        await wic.Get("add-passkey").EvaluateAsync("element => { element.closest('details').open = true; }");
        await wic.Get("add-passkey").ClickAsync();
        await wic.ExpectTextAsync("account-changed", "Passkey added");
        await wic.Get("add-passkey").ClickAsync();
        await wic.ExpectAlertAsync("has a passkey already");

        await wic.Get("sign-out").ClickAsync();
        await wic.Get("passkey").ClickAsync();
        await wic.WaitUntilOnlineAsync();
        await wic.ExpectTextAsync("own-name", "Alice");
    }

    [Fact]
    public async Task UnknownPasskey_PageShowsWhatToDo()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await AddAuthenticatorAsync(wic.Page);
        await wic.Get("passkey").ClickAsync();
        await wic.ExpectAlertAsync("No passkey was used");
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.WaitUntilOnlineAsync();
    }

    [Fact]
    public async Task FiveWrongPasswords_PageShowsThatTheNameHasToWait()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        for (var i = 0; i < 5; i++)
        {
            var answered = wic.Page.WaitForResponseAsync(response => response.Url.EndsWith("/api/session/login", StringComparison.Ordinal));
            await wic.LogInAsync("mallory", "not the password");
            await answered;
            await wic.ExpectAlertAsync("password is wrong");
        }

        await wic.LogInAsync("mallory", "not the password");
        await wic.ExpectAlertAsync("this name has to wait");
    }

    /// <summary>As in production, the provider's site (127.0.0.1) differs from the page's (localhost).</summary>
    [Fact]
    public async Task LogInAtTheProvider_BackOnThePageOnlineAndCallable()
    {
        await using var carol = await system.Chromium.OpenAsync(system.PageAddress);
        await carol.ExpectTextAsync("external", "Log in with Example");
        await carol.Get("external").ClickAsync();
        Assert.Equal("sip:carol@webrtcims.local", await carol.WaitUntilOnlineAsync());

        await using var guest = await system.Chromium.OpenAsync(system.PageAddress);
        await guest.ContinueAsGuestAsync();
        await guest.WaitUntilOnlineAsync();
        await guest.DialAsync("carol");
        await carol.AcceptAsync(await guest.TextAsync("own-name"));
        await guest.ExpectInCallAsync();
        await guest.HangUpAsync();

        await carol.Page.ReloadAsync();
        await carol.WaitUntilOnlineAsync();
        await carol.Get("sign-out").ClickAsync();
        await carol.Get("external").WaitForAsync();
    }

    [Fact]
    public async Task CancelledAtTheProvider_IsShownAndOtherWaysAreOffered()
    {
        system.Provider.IsDenied = true;
        try
        {
            await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
            await wic.Get("external").ClickAsync();
            await wic.ExpectAlertAsync("The log-in was cancelled");
            Assert.Equal(system.PageAddress.ToString(), wic.Page.Url);
            await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
            await wic.WaitUntilOnlineAsync();
        }
        finally
        {
            system.Provider.IsDenied = false;
        }
    }

    /// <summary>Adds a platform authenticator, as phones and laptops have, with a user who always consents.</summary>
    private static async Task AddAuthenticatorAsync(IPage page)
    {
        var chromium = await page.Context.NewCDPSessionAsync(page);
        await chromium.SendAsync("WebAuthn.enable");
        await chromium.SendAsync("WebAuthn.addVirtualAuthenticator", new()
        {
            ["options"] = new Dictionary<string, object>
            {
                ["protocol"] = "ctap2",
                ["transport"] = "internal",
                ["hasResidentKey"] = true,
                ["hasUserVerification"] = true,
                ["isUserVerified"] = true,
                ["automaticPresenceSimulation"] = true,
            },
        });
    }
}
