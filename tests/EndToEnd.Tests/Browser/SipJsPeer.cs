using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>
/// A softphone that is not the project's page: SIP.js in a Chromium context of its own, served from the tests' directory under the
/// page's origin. It registers as a guest and does what the test says.
/// </summary>
public sealed class SipJsPeer : IAsyncDisposable
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "Peer");

    private readonly WicPage _window;

    private SipJsPeer(WicPage window) => _window = window;

    public IPage Page => _window.Page;

    /// <summary>Its public user identity.</summary>
    public string Impu { get; private set; } = "";

    /// <summary>Opens it and registers.</summary>
    public static async Task<SipJsPeer> GoOnlineAsync(RunningSystem system)
    {
        // The document itself comes from the gateway: Chromium lets one from elsewhere open no WebSocket to this machine.
        var peer = new SipJsPeer(await system.Chromium.OpenAsync(new Uri(system.PageAddress, "/api/session"), new() { BypassCSP = true }));
        await peer.Page.RouteAsync("**/peer/**", route => route.FulfillAsync(new() { Path = FileOf(route.Request.Url) }));
        await peer.Page.SetContentAsync(await File.ReadAllTextAsync(Path.Combine(Root, "index.html")));
        await Assertions.Expect(peer.Page.Locator("body")).ToHaveAttributeAsync("data-ready", "true", new() { Timeout = 30_000 });
        peer.Impu = await peer.Page.EvaluateAsync<string>("() => window.peer.goOnline()");
        return peer;
    }

    public Task CallAsync(string impu) => Page.EvaluateAsync("impu => { void window.peer.call(impu); }", impu);

    /// <summary>Waits until it rings; who calls, as the network says.</summary>
    public Task<string> ExpectCallAsync() => Page.EvaluateAsync<string>("() => window.peer.ringing()");

    public Task AcceptAsync() => Page.EvaluateAsync("() => window.peer.accept()");

    public Task RejectAsync(int statusCode) => Page.EvaluateAsync("code => window.peer.reject(code)", statusCode);

    public Task CancelAsync() => Page.EvaluateAsync("() => window.peer.cancel()");

    public Task HangUpAsync() => Page.EvaluateAsync("() => window.peer.hangUp()");

    public Task HoldAsync(bool isHeld) => Page.EvaluateAsync("held => window.peer.hold(held)", isHeld);

    public Task MuteAsync(bool isMuted) => Page.EvaluateAsync("muted => window.peer.mute(muted)", isMuted);

    public Task SendTonesAsync(string keys) => Page.EvaluateAsync("keys => { window.peer.tones(keys); }", keys);

    /// <summary>Waits for the refusal of its call.</summary>
    public Task<int> ExpectRefusalAsync() => Page.EvaluateAsync<int>("() => window.peer.refused()");

    public Task ExpectEndedAsync() => Page.EvaluateAsync("() => window.peer.ended()");

    /// <summary>Waits until its media is negotiated that way.</summary>
    public Task ExpectDirectionAsync(string direction) =>
        Page.WaitForFunctionAsync("direction => window.peer.direction() === direction", direction, new() { Timeout = 10_000 });

    /// <summary>Waits until packets come and go, both ends over a relay.</summary>
    public async Task ExpectRelayedMediaAsync()
    {
        await Page.EvaluateAsync("() => window.peer.established()");
        await Page.WaitForFunctionAsync(
            """
            async () => {
              const now = await window.peer.figures();
              window.before ??= now;
              const rises = now.received > window.before.received + 20 && now.sent > window.before.sent + 20;
              if (rises) window.before = undefined;
              return rises && now.local === 'relay' && now.remote === 'relay';
            }
            """,
            null, new() { Timeout = 20_000, PollingInterval = 100 });
    }

    public ValueTask DisposeAsync() => _window.DisposeAsync();

    private static string FileOf(string url)
    {
        var path = new Uri(url).AbsolutePath["/peer/".Length..];
        var file = Path.GetFullPath(path.StartsWith("sip.js/", StringComparison.Ordinal) ? Path.Combine("node_modules", path) : path, Root);
        Assert.True(File.Exists(file), $"{file} is not there");
        return file;
    }
}
