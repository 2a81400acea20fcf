using System.Diagnostics;
using System.Web;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

public sealed class SecrecyTests
{
    [Theory, InlineData("Production"), InlineData("Development")]
    [Requirement("SEC-5")]
    public async Task Answers_HaveNoHeaderOfTheRequest(string environment)
    {
        using var app = new WwsfApp(environment);
        using var client = app.CreateClient();

        await HeaderEcho.ExpectNoneAsync(
            client, "/session", "/api/session", "/api/session/login", "/api/session/passkey", "/api/session/external", "/api/turn-token",
            "/api/ims-token", "/api/passkeys", "/nothing");
    }

    /// <summary>Logs and spans of all sources at the finest level, and counters.</summary>
    [Fact]
    [Requirement("SEC-14")]
    public async Task LogsSpansAndCounters_HaveNoSecretAndNoUserName()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(waf: waf, epCscf: epCscf).WithAllLogs();
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "not-her-password");
        await page.LogInAsync("mallory", "not-her-password");
        await page.LogInAsync("alice", "alice-calls-bob");
        var userCookie = page.Cookies[Page.SessionCookie];
        var token = page.AntiforgeryToken;
        await page.TurnTokenAsync();
        Assert.Equal(ScriptedWaf.RegistrationToken, (await page.ImsTokenAsync()).Text("access_token"));
        page.AntiforgeryToken = "";
        await page.TurnTokenAsync();
        page.AntiforgeryToken = (await app.OpenPageAsync()).AntiforgeryToken;
        await page.TurnTokenAsync();
        page.AntiforgeryToken = token;
        const string refusal = $$"""{"error":"invalid_client","error_description":"{{WwsfApp.ClientSecret}}"}""";
        waf.Script = (context, _) => ScriptedWaf.Json(context, 401, refusal);
        await page.TurnTokenAsync();
        await page.ImsTokenAsync();
        var unusable = ScriptedWaf.GoodAnswer.Replace("pop", "bearer", StringComparison.Ordinal);
        waf.Script = (context, _) => ScriptedWaf.Json(context, 200, unusable);
        await page.TurnTokenAsync();
        waf.Script = (context, _) => ScriptedWaf.Json(context, 500, "{}");
        await page.TurnTokenAsync();
        for (var i = 0; i < 6; i++) await page.LogInAsync("bob", "not-his-password");
        await page.SignOutAsync();

        List<string> written = [.. app.Logs.Records, .. app.Counts.Keys];
        lock (app.Spans) written.AddRange(app.Spans.Select(Describe));
        Assert.True(app.Logs.Records.Count > 500, $"only {app.Logs.Records.Count} records: was everything recorded?");
        Assert.Contains(written, text => text.Contains("SELECT", StringComparison.Ordinal));
        string[] secrets =
        [
            "alice", "bob", "mallory", "not-her-password", "not-his-password", "alice-calls-bob", userCookie, token,
            ScriptedWaf.AccessToken, ScriptedWaf.AccessToken[..40], ScriptedWaf.Key,
            ScriptedWaf.RegistrationToken, ScriptedWaf.RegistrationToken[..40],
            WwsfApp.ClientSecret, Uri.EscapeDataString(WwsfApp.ClientSecret), waf.Requests[0].Authorization, ScriptedEpCscf.Key,
            waf.Requests[0].Form["sid"],
        ];
        Secrets.AssertNone(written, secrets);
    }

    /// <summary>At the level Trace, ASP.NET Core logs complete addresses, and so the authorization code after its use.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LogInAtAProvider_LeavesNoSecretAndNoUserName(bool withAllLogs)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = new WwsfApp().With(provider);
        if (withAllLogs) app.WithAllLogs();
        var browser = await Browser.OpenAsync(app);
        var callback = await Browser.LetProviderAnswerAsync(await browser.AskAsync());
        await browser.ReturnAsync(callback);
        Assert.Equal("carol", (await browser.Page.LoadAsync()).Text("user"));

        List<string> written = [.. app.Logs.Records];
        lock (app.Spans) written.AddRange(app.Spans.Where(span => span.Source.Name == "WebRtcIms.Wwsf").Select(Describe));
        List<string> secrets = ["carol", OpenIdProvider.ClientSecret];
        if (!withAllLogs) secrets.Add(HttpUtility.ParseQueryString(callback[callback.IndexOf('?', StringComparison.Ordinal)..])["code"]!);
        Secrets.AssertNone(written, secrets);
    }

    [Fact]
    public async Task KeysOfTheCookies_ArePrivateAndBesideTheDatabase()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no Unix file modes");
        using var app = new WwsfApp();
        await app.OpenPageAsync();
        var keys = new DirectoryInfo(Path.Combine(app.DatabaseDirectory, "keys"));

        Assert.Single(keys.GetFiles("key-*.xml"));
#pragma warning disable CA1416 // Skipped on Windows above.
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, keys.UnixFileMode);
        Assert.Equal(keys.UnixFileMode, keys.Parent!.UnixFileMode);
#pragma warning restore CA1416
    }

    private static string Describe(Activity span) =>
        $"{span.DisplayName} {span.StatusDescription} {string.Join(' ', span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"))} "
        + string.Join(' ', span.Events.SelectMany(happened => happened.Tags).Select(tag => $"{tag.Key}={tag.Value}"))
        + string.Join(' ', span.Baggage.Select(item => $"{item.Key}={item.Value}"));
}
