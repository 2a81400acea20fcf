using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>
/// A softphone that is independent of the project's page: SIP.js in its own Chromium context, served from the output folder of the tests
/// under the origin of the page. It registers as a guest and is controlled by the test.
/// </summary>
public sealed class SipJsPeer : IAsyncDisposable
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "Peer");

    private readonly WicPage _window;

    private SipJsPeer(WicPage window) => _window = window;

    public IPage Page => _window.Page;

    /// <summary>Its public user identity.</summary>
    public string Impu { get; private set; } = "";

    /// <summary>Opens the softphone and registers.</summary>
    public static async Task<SipJsPeer> GoOnlineAsync(RunningSystem system)
    {
        // The document comes from the gateway: Chromium does not let other documents open a WebSocket to this machine.
        var peer = new SipJsPeer(await system.Chromium.OpenAsync(new Uri(system.PageAddress, "/api/session"), new() { BypassCSP = true }));
        await peer.Page.RouteAsync("**/peer/**", route => route.FulfillAsync(new() { Path = FileOf(route.Request.Url) }));
        await peer.Page.SetContentAsync(await File.ReadAllTextAsync(Path.Combine(Root, "index.html")));
        await Assertions.Expect(peer.Page.Locator("body")).ToHaveAttributeAsync("data-ready", "true", new() { Timeout = 30_000 });
        peer.Impu = await peer.Page.EvaluateAsync<string>("() => window.peer.goOnline()");
        return peer;
    }

    public Task CallAsync(string impu) => Page.EvaluateAsync("impu => { void window.peer.call(impu); }", impu);

    /// <summary>Waits for an incoming call and returns the caller that the network asserts.</summary>
    public Task<string> ExpectCallAsync() => Page.EvaluateAsync<string>("() => window.peer.ringing()");

    public Task AcceptAsync() => Page.EvaluateAsync("() => window.peer.accept()");

    public Task RejectAsync(int statusCode) => Page.EvaluateAsync("code => window.peer.reject(code)", statusCode);

    public Task CancelAsync() => Page.EvaluateAsync("() => window.peer.cancel()");

    public Task HangUpAsync() => Page.EvaluateAsync("() => window.peer.hangUp()");

    public Task HoldAsync(bool isHeld) => Page.EvaluateAsync("held => window.peer.hold(held)", isHeld);

    public Task MuteAsync(bool isMuted) => Page.EvaluateAsync("muted => window.peer.mute(muted)", isMuted);

    public Task SendTonesAsync(string keys) => Page.EvaluateAsync("keys => { window.peer.tones(keys); }", keys);

    /// <summary>Waits until its call is refused and returns the status code.</summary>
    public Task<int> ExpectRefusalAsync() => Page.EvaluateAsync<int>("() => window.peer.refused()");

    public Task ExpectEndedAsync() => Page.EvaluateAsync("() => window.peer.ended()");

    /// <summary>Waits until its media is negotiated with this direction.</summary>
    public Task ExpectDirectionAsync(string direction) =>
        Page.WaitForFunctionAsync("direction => window.peer.direction() === direction", direction, new() { Timeout = 10_000 });

    /// <summary>Waits until packets flow both ways between relay candidates.</summary>
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
        Assert.True(File.Exists(file), $"{file} does not exist");
        return file;
    }
}
