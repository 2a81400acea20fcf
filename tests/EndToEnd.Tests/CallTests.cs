using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>A user opens the page and makes a call. Media flows only through the TURN server.</summary>
[Collection(RunningSystem.Collection)]
public sealed class CallTests(RunningSystem system)
{
    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    public async Task GuestClicksCall_MediaFlowsThroughTheRelay(string transport)
    {
        await using var wic = await OpenAsync();
        await wic.ContinueAsGuestAsync();
        await CallAndExpectRelayedMediaAsync(wic, transport);
    }

    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    public async Task LoggedInUserClicksCall_MediaFlowsThroughTheRelay(string transport)
    {
        await using var wic = await OpenAsync();
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await CallAndExpectRelayedMediaAsync(wic, transport);
    }

    [Fact]
    public async Task CallWithVideo_ShowsTheFarPicture()
    {
        await using var wic = await OpenAsync();
        await wic.ContinueAsGuestAsync();
        await wic.Get("with-video").CheckAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        await wic.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=far-video]').videoWidth > 0");
        await wic.HangUpAsync();
    }

    [Fact]
    public async Task Reload_KeepsTheSession()
    {
        await using var wic = await OpenAsync();
        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.Get("call").WaitForAsync();
        await wic.Page.ReloadAsync();
        await wic.Get("call").WaitForAsync();
    }

    private Task<WicPage> OpenAsync() => system.Chromium.OpenAsync(system.PageAddress);

    private static async Task CallAndExpectRelayedMediaAsync(WicPage wic, string transport)
    {
        await wic.ChooseTransportAsync(transport);
        await wic.CallAsync();
        await wic.WaitForMediaAsync();

        Assert.Equal("relay", await wic.TextAsync("local-candidate-type"));
        Assert.Equal("relay", await wic.TextAsync("remote-candidate-type"));
        Assert.Contains(transport, await wic.TextAsync("relay-protocol"), StringComparison.OrdinalIgnoreCase);
        Assert.Matches(@"^127\.0\.0\.1:\d+$", await wic.TextAsync("relay-candidate"));
        for (var step = 1; step <= 8; step++) Assert.Equal("done", await wic.Get($"step-{step}").GetAttributeAsync("data-state"));

        await wic.HangUpAsync();
        await wic.Get("call").WaitForAsync();
    }
}
