using System.Text.Json.Nodes;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>The page in Firefox, with a method for each action of a user. Every wait runs in the page and has a limit.</summary>
public sealed class FirefoxPage : IAsyncDisposable
{
    private const string Find = "const find = id => document.querySelector(`[data-testid=\"${id}\"]`);";

    private readonly BidiConnection _connection;
    private readonly string _tab;
    private readonly string _user;

    internal FirefoxPage(BidiConnection connection, string tab, string user)
    {
        _connection = connection;
        _tab = tab;
        _user = user;
    }

    /// <summary>Clicks as a user does, when the element is visible and enabled.</summary>
    public async Task ClickAsync(string testId)
    {
        await UntilAsync("id => { const e = find(id); return !!e && !e.disabled && e.checkVisibility(); }", testId);
        await EvaluateAsync("id => { find(id).scrollIntoView({ block: 'center' }); find(id).click(); }", testId);
    }

    public Task FillAsync(string testId, string text) => EvaluateAsync(
        "(id, text) => { const e = find(id); e.focus(); e.value = text; e.dispatchEvent(new Event('input', { bubbles: true })); }",
        testId, text);

    public async Task<string> TextAsync(string testId) => (string)(await EvaluateAsync("id => find(id).innerText.trim()", testId))!;

    public Task ExpectTextAsync(string testId, string part) =>
        UntilAsync("(id, part) => find(id)?.innerText.includes(part)", testId, part);

    /// <summary>Waits until the stage is in this phase of a call.</summary>
    public Task ExpectPhaseAsync(string phase) =>
        UntilAsync("phase => document.getElementById('stage').dataset.phase === phase", phase);

    public async Task ContinueAsGuestAsync()
    {
        await ClickAsync("guest");
        await ExpectTextAsync("online-state", "Online");
    }

    /// <summary>Waits until the page counts as true what the function returns.</summary>
    public async Task UntilAsync(string function, params string[] arguments)
    {
        var met = await EvaluateAsync(
            $$"""
            async (...all) => {
              const met = {{function}};
              for (const end = Date.now() + 30_000; Date.now() < end; await new Promise(next => setTimeout(next, 50)))
                if (await met(...all)) return '';
              return `${document.getElementById('status')?.innerText} | ${document.querySelector('[role=alert]')?.innerText}`;
            }
            """,
            arguments);
        Assert.True((string?)met == "", $"not in time: {function} of {string.Join(", ", arguments)}. The page says: {met}");
    }

    /// <summary>The result of a function of the page, if it is a text, a number or a truth value.</summary>
    public async Task<JsonNode?> EvaluateAsync(string function, params string[] arguments)
    {
        var answer = await _connection.SendAsync(
            "script.callFunction",
            new
            {
                functionDeclaration = $"(...all) => {{ {Find} return ({function})(...all); }}",
                arguments = arguments.Select(argument => new { type = "string", value = argument }),
                target = new { context = _tab },
                awaitPromise = true,
                userActivation = true,
            });
        if ((string?)answer["type"] != "success") Assert.Fail($"{answer["exceptionDetails"]?["text"]} in {function}");
        return answer["result"]?["value"];
    }

    public async Task ScreenshotAsync(string path)
    {
        var picture = await _connection.SendAsync("browsingContext.captureScreenshot", new { context = _tab });
        await File.WriteAllBytesAsync(path, Convert.FromBase64String((string)picture["data"]!));
    }

    public async ValueTask DisposeAsync() => await _connection.SendAsync("browser.removeUserContext", new { userContext = _user });
}
