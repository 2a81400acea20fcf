using Microsoft.Playwright;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>A headless Chromium with a fake microphone and camera, which may connect to loopback addresses.</summary>
public sealed class Chromium : IAsyncDisposable
{
    // The first two are pages of the address bar. Each window starts a process for them, which costs a second of CPU time. Playwright
    // disables the others; they are repeated here because this list replaces that of Playwright.
    private static readonly string[] Features =
    [
        "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
        "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync",
        "BlockOriginHeaderModificationOnRedirect",
        "DestroyProfileOnBrowserClose", "DialMediaRouteProvider", "GlobalMediaControls", "HttpsUpgrades", "LensOverlay", "MediaRouter",
        "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "ThirdPartyStoragePartitioning", "Translate",
    ];

    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--allow-loopback-in-peer-connection",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
        $"--disable-features={string.Join(',', Features)}",
    ];

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Chromium(IPlaywright playwright, IBrowser browser)
    {
        _playwright = playwright;
        _browser = browser;
    }

    public static async Task<Chromium> StartAsync(params string[] more)
    {
        var path = Tools.Require("chromium", "chromium");
        var playwright = await Playwright.CreateAsync();
        var browser =
            await playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Headless = true, Args = [.. Arguments, .. more] });
        return new Chromium(playwright, browser);
    }

    /// <summary>
    /// Opens the page in a new browser context, as a user with its own cookies. The script runs before those of the page. Without other
    /// options the user has asked for less motion, because drawing without a graphics card takes much of the processor.
    /// </summary>
    public async Task<WicPage> OpenAsync(Uri address, BrowserNewContextOptions? options = null, string? script = null)
    {
        options ??= new();
        options.Permissions = ["microphone", "camera"];
        options.ReducedMotion ??= ReducedMotion.Reduce;
        var context = await _browser.NewContextAsync(options);
        if (script is not null) await context.AddInitScriptAsync(script);
        var page = await context.NewPageAsync();
        await page.GotoAsync(address.ToString());
        return new WicPage(page);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
