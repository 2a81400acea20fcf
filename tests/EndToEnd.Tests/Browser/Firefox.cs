using System.Diagnostics;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>A headless Firefox with a generated microphone and camera, which may connect to loopback addresses.</summary>
public sealed partial class Firefox : ServerProcess
{
    private const string Preferences =
        """
        user_pref("media.navigator.streams.fake", true);
        user_pref("media.navigator.permission.disabled", true);
        user_pref("media.peerconnection.ice.loopback", true);
        user_pref("media.autoplay.default", 0);
        user_pref("app.update.auto", false);
        user_pref("browser.shell.checkDefaultBrowser", false);
        user_pref("datareporting.policy.dataSubmissionEnabled", false);
        user_pref("extensions.update.enabled", false);
        user_pref("media.gmp-manager.updateEnabled", false);
        user_pref("network.captive-portal-service.enabled", false);
        user_pref("network.connectivity-service.enabled", false);
        user_pref("network.dns.disablePrefetch", true);
        user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
        user_pref("toolkit.telemetry.enabled", false);
        """;

    private readonly DirectoryInfo _profile;
    private BidiConnection? _connection;

    private Firefox(string program, DirectoryInfo profile)
        : base(new ProcessStartInfo(program, ["--headless", "--no-remote", "--profile", profile.FullName, "--remote-debugging-port=0"])) =>
        _profile = profile;

    private BidiConnection Connection => _connection ?? throw new InvalidOperationException("not connected");

    public static async Task<Firefox> StartAsync()
    {
        var program = Tools.Require("firefox-esr", "firefox-esr");
        var profile = Directory.CreateTempSubdirectory("firefox-");
        await File.WriteAllTextAsync(Path.Combine(profile.FullName, "user.js"), Preferences);
        var firefox = new Firefox(program, profile);
        await firefox.UntilUpAsync(_ => Task.FromResult(Listening().IsMatch(firefox.Output)));
        firefox._connection = await BidiConnection.OpenAsync(new Uri(Listening().Match(firefox.Output).Groups[1].Value + "/session"));
        return firefox;
    }

    /// <summary>Opens the page as a user with its own cookies. The script, a function, runs before those of the page.</summary>
    public async Task<FirefoxPage> OpenAsync(Uri address, string? script = null)
    {
        var user = (string)(await Connection.SendAsync("browser.createUserContext", new { }))["userContext"]!;
        if (script is not null)
            await Connection.SendAsync("script.addPreloadScript", new { functionDeclaration = script, userContexts = new[] { user } });
        var tab = (string)(await Connection.SendAsync("browsingContext.create", new { type = "tab", userContext = user }))["context"]!;
        await Connection.SendAsync("browsingContext.navigate", new { context = tab, url = address.ToString(), wait = "complete" });
        return new FirefoxPage(Connection, tab, user);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        await base.DisposeAsync();
        _profile.Delete(recursive: true);
    }

    [GeneratedRegex(@"WebDriver BiDi listening on (ws://\S+)")]
    private static partial Regex Listening();
}
