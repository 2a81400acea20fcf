using System.Diagnostics;
using Microsoft.Playwright;

namespace WebRtcIms.Page.Load;

/// <summary>A headless Chromium that logs in, registers and calls, as a person with a fast hand does.</summary>
internal sealed class CallingPage(IPlaywright playwright, IBrowser browser) : IAsyncDisposable
{
    private const string InCall = "#stage[data-phase=inCall]";
    private static readonly float Limit = (float)TimeSpan.FromSeconds(30).TotalMilliseconds;

    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--allow-loopback-in-peer-connection", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
    ];

    public static async Task<CallingPage> StartAsync()
    {
        var path = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "chromium"))
            .FirstOrDefault(File.Exists) ?? throw new InvalidOperationException("chromium is not installed (Debian package chromium)");
        var playwright = await Playwright.CreateAsync();
        return new(playwright, await playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Headless = true, Args = Arguments }));
    }

    /// <summary>Opens the page anew, logs in and calls the echo. The page itself is loaded before the first time begins.</summary>
    public async Task<CallTimes> CallAsync(Uri address)
    {
        await using var context = await browser.NewContextAsync(new() { Permissions = ["microphone", "camera"] });
        context.SetDefaultTimeout(Limit);
        var page = await context.NewPageAsync();
        await page.GotoAsync(address.ToString());
        await page.GetByTestId("user-name").FillAsync("alice");
        await page.GetByTestId("password").FillAsync("alice-calls-bob");

        var start = Stopwatch.GetTimestamp();
        await page.GetByTestId("log-in").ClickAsync();
        await page.GetByTestId("online-state").Filter(new() { HasText = "Online" }).WaitForAsync();
        var online = Stopwatch.GetElapsedTime(start);
        await page.GetByTestId("call").ClickAsync();
        await page.Locator(InCall).WaitForAsync();
        var inCall = Stopwatch.GetElapsedTime(start);
        await page.GetByTestId("hang-up").ClickAsync();
        await page.GetByTestId("sign-out").ClickAsync();
        await page.GetByTestId("log-in").WaitForAsync();
        return new(online, inCall);
    }

    public async ValueTask DisposeAsync()
    {
        await browser.DisposeAsync();
        playwright.Dispose();
    }
}

/// <summary>The time from the click on "Log in" until the page is registered, and until media flows.</summary>
internal readonly record struct CallTimes(TimeSpan Online, TimeSpan InCall);
