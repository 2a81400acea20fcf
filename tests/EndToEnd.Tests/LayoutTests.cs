using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>Where the parts of the page are, measured in windows from 320 px to 4K.</summary>
[Collection(RunningSystem.Collection)]
public sealed class LayoutTests(RunningSystem system)
{
    /// <summary>Width, height, and the share of the window that the picture of a call covers at least.</summary>
    private static readonly (int Width, int Height, double Picture)[] Windows =
    [
        (320, 640, 0.15), (390, 844, 0.15),
        // A landscape phone, and 1280x720 at 200 % zoom
        (844, 390, 0.45), (640, 360, 0.45),
        (1024, 768, 0.25), (1280, 720, 0.3), (1920, 1080, 0.5), (3840, 2160, 0.6),
    ];

    /// <summary>A button that moves while the pointer is on it does nothing when it is clicked.</summary>
    [Fact]
    public async Task CallButton_StaysInItsPlace_WhenThePageIsOnline()
    {
        var online = new TaskCompletionSource();
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.Page.RouteAsync("**/api/ims-token", async route =>
        {
            await online.Task;
            await route.ContinueAsync();
        });
        await wic.ContinueAsGuestAsync();
        await wic.Get("call").WaitForAsync();
        var before = await wic.Get("call").BoundingBoxAsync();
        await wic.KeepAsync("page-connecting");

        online.SetResult();
        await wic.WaitUntilOnlineAsync();
        await wic.KeepAsync("page-online");
        var after = await wic.Get("call").BoundingBoxAsync();
        Assert.Equal((before!.X, before.Y), (after!.X, after.Y));
    }

    [Fact]
    [Requirement("EXP-25")]
    [Requirement("EXP-27")]
    [Requirement("EXP-28")]
    [Requirement("EXP-29")]
    [Requirement("EXP-36")]
    public async Task CallWithVideo_InEveryWindow_HangUpIsInViewAndNothingMoves()
    {
        // German words are longer.
        await using var wic = await OpenAsGuestAsync(new() { Locale = "de-DE", ReducedMotion = ReducedMotion.Reduce });
        await wic.Get("with-video").CheckAsync();
        await wic.Get("demo-line").ClickAsync();
        await wic.ExpectInCallAsync();
        await wic.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=far-video]').videoWidth > 0");

        foreach (var (width, height, picture) in Windows)
        {
            await wic.Page.SetViewportSizeAsync(width, height);
            foreach (var place in new[] { "0", "document.documentElement.scrollHeight" })
            {
                await wic.Page.EvaluateAsync($"() => scrollTo(0, {place})");
                await ExpectInWindowAsync(wic, "hang-up", width, height);
            }
            await wic.Page.EvaluateAsync("() => scrollTo(0, 0)");
            await wic.Get("far-video").ScrollIntoViewIfNeededAsync();
            Assert.True(
                await PictureAsync(wic) >= picture * width * height,
                $"{width}x{height}: the picture covers {await PictureAsync(wic) / (width * height):P0} of the window.");
            Assert.False(
                await wic.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"),
                $"{width}x{height}: the page scrolls sideways.");

            var steps = await PlaceOfStepsAsync(wic);
            await wic.Get("keys").ClickAsync();
            Assert.Equal(steps, await PlaceOfStepsAsync(wic));
            await ExpectInWindowAsync(wic, "keypad", width, height);
            await ExpectInWindowAsync(wic, "hang-up", width, height);
            await wic.Get("keys").ClickAsync();
            await ToggleAsync(wic, "devices");
            Assert.Equal(steps, await PlaceOfStepsAsync(wic));
            await ExpectInWindowAsync(wic, "hang-up", width, height);
            await wic.Get("speaker").ScrollIntoViewIfNeededAsync();
            await ExpectInWindowAsync(wic, "speaker", width, height);
            await ToggleAsync(wic, "devices");
        }
        await wic.Get("picture-in-picture").ClickAsync();
        await wic.Page.WaitForFunctionAsync("() => document.pictureInPictureElement?.dataset.testid === 'far-video'");
        await wic.Get("picture-in-picture").ClickAsync();
        await wic.Page.WaitForFunctionAsync("() => document.pictureInPictureElement === null");

        await wic.Get("full-screen").ClickAsync();
        await Assertions.Expect(wic.Get("full-screen")).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions.Expect(wic.Get("hang-up")).ToBeInViewportAsync(new() { Ratio = 1 });
        await wic.HangUpAsync();
        await Assertions.Expect(wic.Get("full-screen")).ToHaveAttributeAsync("aria-pressed", "false");
    }

    [Fact]
    [Requirement("EXP-25")]
    public async Task ErrorsAndPanels_MoveNoStep()
    {
        await using var wic = await OpenAsGuestAsync(new() { ViewportSize = new() { Width = 1280, Height = 720 } });
        var steps = await PlaceOfStepsAsync(wic);
        foreach (var panel in new[] { "before-call", "devices", "check-before" })
        {
            await ToggleAsync(wic, panel);
            Assert.Equal(steps, await PlaceOfStepsAsync(wic));
        }
        await wic.Page.EvaluateAsync("() => scrollTo(0, 0)");
        var call = await wic.Get("call").BoundingBoxAsync();
        await wic.DialAsync("not an address");
        await wic.ExpectAlertAsync("not an address");
        Assert.Equal(steps, await PlaceOfStepsAsync(wic));
        await wic.Page.EvaluateAsync("() => scrollTo(0, 0)");
        await Assertions.Expect(wic.Get("alert")).ToBeInViewportAsync(new() { Ratio = 1 });
        Assert.Equal(call!.Y, (await wic.Get("call").BoundingBoxAsync())!.Y);
        await wic.Get("dismiss").ClickAsync();
        await Assertions.Expect(wic.Get("alert")).ToBeEmptyAsync();
    }

    [Fact]
    public async Task Preview_CapturesOnlyOnAClick()
    {
        await using var wic = await OpenAsGuestAsync(script:
            """
            window.captured = [];
            const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async what => {
              const stream = await capture(what);
              window.captured.push(...stream.getTracks());
              return stream;
            };
            """);
        await ToggleAsync(wic, "devices");
        await Assertions.Expect(wic.Get("try-camera")).ToBeVisibleAsync();
        Assert.Equal(0, await wic.Page.EvaluateAsync<int>("() => window.captured.length"));

        await wic.Get("try-microphone").ClickAsync();
        await wic.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=microphone-level]').value > 0");
        await wic.Get("try-camera").ClickAsync();
        await wic.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=camera-preview]').videoWidth > 0");
        Assert.Equal("audio,video", await wic.Page.EvaluateAsync<string>("() => window.captured.map(track => track.kind).join()"));

        await ToggleAsync(wic, "devices");
        await wic.Page.WaitForFunctionAsync("() => window.captured.every(track => track.readyState === 'ended')");
    }

    [Theory]
    [InlineData("call")]
    [InlineData("demo-line")]
    [Requirement("EXP-30")]
    public async Task TimesOfACall_AddUp(string button)
    {
        await using var wic = await OpenAsGuestAsync();
        var answer = wic.Page.WaitForResponseAsync(response => response.Url.EndsWith("/api/turn-token", StringComparison.Ordinal));
        await wic.Get(button).ClickAsync();
        await wic.ExpectInCallAsync();

        var took = await wic.Page.Locator(".step .took").AllInnerTextsAsync();
        var steps = took.Select(text => NumbersIn(text).Single()).ToList();
        var sum = NumbersIn(await wic.TextAsync("total"));
        Assert.Equal(3, sum.Count);
        Assert.Equal(steps.Sum(), sum[1]);
        Assert.Equal(sum[0], sum[1] + sum[2]);
        // The WAF's answer includes step 5, and the page counts it once.
        var timing = (await (await answer).AllHeadersAsync())["server-timing"];
        var waf = decimal.Parse(Regex.Match(timing, @"step4;dur=([\d.]+)").Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.InRange(steps[3] + steps[4], waf - 0.2m, waf + 0.2m);
        await wic.HangUpAsync();
    }

    [Fact]
    [Requirement("EXP-26")]
    [Requirement("EXP-31")]
    [Requirement("EXP-36")]
    public async Task AfterACall_TheLadderIsReadableAndNothingIsStale()
    {
        await using var wic = await OpenAsGuestAsync(
            new() { ViewportSize = new() { Width = 1280, Height = 720 } },
            """
            window.pictures = [];
            addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
              for (const svg of document.querySelectorAll('svg.ladder')) window.pictures.push(svg.getAttribute('aria-label'));
            }).observe(document.getElementById('what-happened-ladder'), { childList: true }));
            """);
        var errors = new List<string>();
        wic.Page.Console += (_, message) =>
        {
            if (message.Type == "error") lock (errors) errors.Add($"{message.Text} {message.Location}");
        };
        await Assertions.Expect(wic.Get("no-path")).ToBeVisibleAsync();
        await wic.CallAsync();
        await wic.ExpectInCallAsync();
        await wic.WaitForMediaAsync();
        await Assertions.Expect(wic.Get("time-left")).ToBeVisibleAsync();
        await wic.HangUpAsync();
        await Assertions.Expect(wic.Get("time-left")).ToBeHiddenAsync();
        await Assertions.Expect(wic.Get("no-path")).ToContainTextAsync("packets sent");

        await Assertions.Expect(wic.Page.Locator($"[data-testid=what-happened-ladder] {FlowViewPage.Step}[data-step='8']").First)
            .ToBeAttachedAsync(new() { Timeout = 30_000 });
        foreach (var width in new[] { 320, 1280 })
        {
            await wic.Page.SetViewportSizeAsync(width, 720);
            Assert.InRange(await SmallestTextAsync(wic), 12, 20);
            Assert.False(await wic.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"));
        }
        Assert.DoesNotContain(
            await wic.Page.EvaluateAsync<string[]>("() => window.pictures"), lanes => lanes.Contains("Gateway", StringComparison.Ordinal));
        lock (errors) Assert.Empty(errors);
    }

    [Fact]
    [Requirement("EXP-37")]
    public async Task WaitForTheMicrophone_ShowsASpinner()
    {
        await using var wic = await OpenAsGuestAsync(script: "navigator.mediaDevices.getUserMedia = () => new Promise(() => {});");
        await wic.CallAsync();
        await Assertions.Expect(wic.Page.Locator(".spinner")).ToBeVisibleAsync();
        await Assertions.Expect(wic.Get("hang-up")).ToBeInViewportAsync(new() { Ratio = 1 });
        await wic.HangUpAsync();
        await Assertions.Expect(wic.Page.Locator(".spinner")).ToBeHiddenAsync();
    }

    private async Task<WicPage> OpenAsGuestAsync(BrowserNewContextOptions? options = null, string? script = null)
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress, options, script);
        await wic.ContinueAsGuestAsync();
        await Assertions.Expect(wic.Page.Locator("#online")).ToHaveAttributeAsync("data-state", "online", new() { Timeout = 30_000 });
        return wic;
    }

    private static Task ToggleAsync(WicPage wic, string panel) => wic.Page.Locator($"#{panel} > summary").ClickAsync();

    private static async Task ExpectInWindowAsync(WicPage wic, string testId, int width, int height)
    {
        var box = (await wic.Get(testId).BoundingBoxAsync())!;
        Assert.True(
            box.X >= 0 && box.Y >= 0 && box.X + box.Width <= width && box.Y + box.Height <= height,
            $"{width}x{height}: {testId} is at {box.X}, {box.Y} and has {box.Width}x{box.Height}.");
    }

    /// <summary>The part of the window that shows the picture, in square pixels.</summary>
    private static Task<double> PictureAsync(WicPage wic) => wic.Page.EvaluateAsync<double>(
        """
        () => {
          const { width, height } = document.querySelector('[data-testid=far-video]').getBoundingClientRect();
          return Math.min(width, height * 16 / 9) * Math.min(height, width * 9 / 16);
        }
        """);

    /// <summary>On the page, not in the window: a click may scroll.</summary>
    private static Task<string> PlaceOfStepsAsync(WicPage wic) => wic.Page.EvaluateAsync<string>(
        """
        () => [...document.querySelectorAll('.step')].map(step => step.getBoundingClientRect())
          .map(({ x, y }) => `${Math.round(x)},${Math.round(y + scrollY)}`).join(' ')
        """);

    /// <summary>The smallest text in the ladder, as drawn.</summary>
    private static Task<double> SmallestTextAsync(WicPage wic) => wic.Page.EvaluateAsync<double>(
        """
        () => Math.min(...[...document.querySelectorAll('#what-happened-ladder text')]
          .map(text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))
        """);

    private static List<decimal> NumbersIn(string text) =>
        [.. Regex.Matches(text, @"[\d,]+\.\d")
            .Select(number => decimal.Parse(number.Value, NumberStyles.Number, CultureInfo.InvariantCulture))];
}
