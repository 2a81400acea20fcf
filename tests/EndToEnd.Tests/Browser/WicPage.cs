using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Microsoft.Playwright;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>The page, with a method for each action of a user.</summary>
public sealed class WicPage : IAsyncDisposable
{
    private const int LinesOfAFailure = 60;

    private readonly List<JsonElement> _tokens = [];
    private readonly ConcurrentQueue<string> _events = [];
    private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;

    public WicPage(IPage page)
    {
        Page = page;
        page.Response += (_, response) => _ = KeepTokenAsync(response);
        RecordEvents();
    }

    public IPage Page { get; }

    /// <summary>The answers of POST /api/turn-token so far. Their secrets must not appear anywhere else.</summary>
    public IReadOnlyList<JsonElement> Tokens => _tokens;

    public Task ContinueAsGuestAsync() => Click("guest");

    public async Task LogInAsync(string user, string password)
    {
        await Get("user-name").FillAsync(user);
        await Get("password").FillAsync(password);
        await Click("log-in");
    }

    public async Task ChooseTransportAsync(string transport)
    {
        var select = Get("transport");
        await select.EvaluateAsync("element => { for (let d = element.closest('details'); d; d = null) d.open = true; }");
        await select.SelectOptionAsync(transport);
    }

    public Task CallAsync() => Click("call");

    public Task HangUpAsync() => Click("hang-up");

    public ILocator Get(string testId) => Page.GetByTestId(testId);

    public async Task<string> TextAsync(string testId) => (await Get(testId).InnerTextAsync()).Trim();

    /// <summary>Waits until the page is registered with the IMS and returns its public user identity.</summary>
    public async Task<string> WaitUntilOnlineAsync()
    {
        await ExpectTextAsync("online-state", "Online");
        return await TextAsync("own-impu");
    }

    /// <summary>Types a name or an address and calls.</summary>
    public async Task DialAsync(string address)
    {
        await Get("to").FillAsync(address);
        await Click("call");
    }

    /// <summary>Waits for a call and accepts it.</summary>
    public async Task AcceptAsync(string caller)
    {
        await ExpectTextAsync("caller", caller);
        await Click("accept");
    }

    public Task ExpectTextAsync(string testId, string part, int seconds = 15) =>
        Assertions.Expect(Get(testId)).ToContainTextAsync(part, new() { Timeout = seconds * 1000 });

    public Task ExpectInCallAsync() =>
        Assertions.Expect(Page.Locator("#stage")).ToHaveAttributeAsync("data-phase", "inCall", new() { Timeout = 20_000 });

    public Task ExpectIdleAsync() =>
        Assertions.Expect(Page.Locator("#stage")).ToHaveAttributeAsync("data-phase", "ended", new() { Timeout = 10_000 });

    /// <summary>The first number in an element's text.</summary>
    public async Task<long> NumberAsync(string testId)
    {
        var digits = new string([.. (await TextAsync(testId)).Where(char.IsAsciiDigit)]);
        return digits.Length == 0 ? 0 : long.Parse(digits, CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until media arrives: the count of received packets rises twice.</summary>
    public async Task WaitForMediaAsync()
    {
        await Assertions.Expect(Get("packets-received")).Not.ToHaveTextAsync(
            new System.Text.RegularExpressions.Regex(@"^\D*0?\D*$"), new() { Timeout = 20_000 });
        var first = await TextAsync("packets-received");
        await Assertions.Expect(Get("packets-received")).Not.ToHaveTextAsync(first, new() { Timeout = 10_000 });
        Assert.True(
            await NumberAsync("packets-received") > long.Parse(
                new string([.. first.Where(char.IsAsciiDigit)]), CultureInfo.InvariantCulture));
    }

    /// <summary>Expects media both ways: the counts of sent and received packets rise each second.</summary>
    public async Task ExpectRisingMediaAsync()
    {
        var (sent, received) = (await NumberAsync("packets-sent"), await NumberAsync("packets-received"));
        await Page.WaitForFunctionAsync(
            """
            ([sent, received]) => {
              const count = id => Number(document.querySelector(`[data-testid=${id}]`).textContent.replace(/\D/g, ''));
              return count('packets-sent') > sent + 20 && count('packets-received') > received + 20;
            }
            """,
            new[] { sent, received }, new() { Timeout = 10_000 });
    }

    public Task ExpectAlertAsync(string part, int seconds = 20) =>
        Assertions.Expect(Get("alert")).ToContainTextAsync(part, new() { Timeout = seconds * 1000, IgnoreCase = true });

    public async ValueTask DisposeAsync()
    {
        await Page.Context.DisposeAsync();
        foreach (var line in _events.TakeLast(LinesOfAFailure)) _output?.WriteLine(line);
    }

    /// <summary>What the page asked for and was told. The output of a failed test shows it.</summary>
    private void RecordEvents()
    {
        void Record(string text) => _events.Enqueue($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {text}");
        static string FirstLine(string? message) => message?.Split('\r', 2)[0] ?? "";
        Page.Request += (_, request) => Record($"{request.Method} {new Uri(request.Url).AbsolutePath}");
        Page.Response += (_, response) => Record($"{response.Status} {new Uri(response.Url).AbsolutePath}");
        Page.RequestFailed += (_, request) => Record($"{request.Failure} {new Uri(request.Url).AbsolutePath}");
        Page.PageError += (_, error) => Record($"error {error}");
        Page.WebSocket += (_, socket) =>
        {
            Record("WebSocket");
            socket.FrameSent += (_, frame) => Record($"> {FirstLine(frame.Text)}");
            socket.FrameReceived += (_, frame) => Record($"< {FirstLine(frame.Text)}");
            socket.SocketError += (_, error) => Record($"WebSocket error {error}");
            socket.Close += (_, _) => Record("WebSocket closed");
        };
    }

    private Task Click(string testId) => Get(testId).ClickAsync();

    private async Task KeepTokenAsync(IResponse response)
    {
        if (!response.Url.EndsWith("/api/turn-token", StringComparison.Ordinal) || !response.Ok) return;
        if (await response.JsonAsync() is { } json) lock (_tokens) _tokens.Add(json);
    }
}
