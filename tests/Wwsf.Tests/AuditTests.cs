using System.Collections.Concurrent;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Each event of a log-in or a session is logged, with pseudonyms only.</summary>
public sealed class AuditTests : IDisposable
{
    private readonly EventRecorder _events = new();

    public void Dispose() => _events.Dispose();

    [Fact]
    [Requirement("SEC-28")]
    public async Task LogInAndSignOut_AreAuditedWithPseudonymsAndAddress()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = NewApp(new WwsfApp(waf: waf));
        var page = await app.OpenPageAsync();
        await page.LogInFromAsync("203.0.113.7", "alice", "alice-calls-bob");
        await page.TurnTokenAsync();
        var session = Pseudonym.Of(waf.Requests[0].Form["sid"]);
        await page.SignOutAsync();

        var user = await PseudonymAsync(app, "alice");
        Assert.Equal([$"User {user} logged in by password from 203.0.113.7: session {session}"], _events.Named("audit.log_in"));
        Assert.Equal([$"Session {session} of user {user} ended: signed out"], _events.Named("audit.session_ended"));
        Assert.Matches($"^The user of session {session} got a TURN token under the key .*, for \\d+ s$",
            Assert.Single(_events.Named("call.turn_token_issued")));
        Assert.DoesNotContain(waf.Requests[0].Form["sid"], string.Join('\n', _events.All));
    }

    [Fact]
    [Requirement("SEC-28")]
    public async Task RefusedLogins_AreLogged_WithTheUserIfThereIsOne()
    {
        using var app = NewApp(new WwsfApp());
        var page = await app.OpenPageAsync();
        await page.LogInFromAsync("203.0.113.7", "alice", "a wrong password");
        await page.LogInFromAsync("203.0.113.7", "ghost", "a wrong password");
        for (var i = 0; i < 5; i++) await page.LogInFromAsync("2001:db8:1:2::9", "bob", "a wrong password");
        await page.SendAsync(HttpMethod.Post, "/api/session/passkey", new { });

        var (alice, bob) = (await PseudonymAsync(app, "alice"), await PseudonymAsync(app, "bob"));
        await page.LogInFromAsync("2001:db8:1:2::9", "bob", "a wrong password");
        var refused = _events.Named("log_in.refused");
        Assert.Contains($"A log-in by password from 203.0.113.7 as user {alice} was refused: login_failed", refused);
        Assert.Contains("A log-in by password from 203.0.113.7 as user unknown was refused: login_failed", refused);
        Assert.Contains($"A log-in by password from 20010DB800010002 as user {bob} was refused: login_failed", refused);
        Assert.Contains("A log-in by password from 20010DB800010002 as user unknown was refused: locked_out", refused);
        Assert.Contains("A log-in by passkey from 127.0.0.1 as user unknown was refused: passkey_failed", refused);
    }

    [Fact]
    [Requirement("EXP-18")]
    public async Task TokenThatIsRefused_IsLoggedWithItsReason_AndTheWafsReturnOnce()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = NewApp(new WwsfApp(waf: waf));
        var page = await app.OpenPageAsync();
        await page.TurnTokenAsync();
        await page.ContinueAsGuestAsync();
        var script = waf.Script;
        waf.Script = (context, _) =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        await page.TurnTokenAsync();
        waf.Script = script;
        await page.TurnTokenAsync();
        await page.TurnTokenAsync();

        Assert.Contains("without a session was refused with 401 not_signed_in: Not signed in",
            Assert.Single(_events.Named("request_of_stranger.refused")), StringComparison.Ordinal);
        Assert.Matches("^POST .*turn-token of the guest of session [0-9a-f]{24} was refused with 503 waf_unavailable: ",
            Assert.Single(_events.Named("request.refused")));
        Assert.Single(_events.All, text => text == "The WAF answers token requests again.");
    }

    [Fact]
    [Requirement("SEC-28")]
    public async Task PasskeyAddedAndUsed_AreAudited()
    {
        using var app = NewApp(new WwsfApp());
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        await authenticator.AddToAsync(page);
        await authenticator.LogInAsync(page);
        var alice = await PseudonymAsync(app, "alice");
        Assert.Equal([$"User {alice} added a passkey from 127.0.0.1"], _events.Named("audit.passkey_added"));
        var expected = $"User {alice} logged in by passkey";
        Assert.Contains(_events.Named("audit.log_in"), text => text.StartsWith(expected, StringComparison.Ordinal));
        Assert.Contains(_events.Named("audit.session_ended"), text => text.EndsWith("replaced by a new session", StringComparison.Ordinal));

        await app.ChangeUserAsync("alice", (users, user) => users.SetLockoutEndDateAsync(user, DateTimeOffset.MaxValue));
        await page.LoadAsync();
        await authenticator.LogInAsync(page);
        Assert.Contains($"A log-in by passkey from 127.0.0.1 as user {alice} was refused: passkey_failed", _events.Named("log_in.refused"));
    }

    [Fact]
    [Requirement("SEC-28")]
    public async Task LogInAtAProvider_IsAudited_WithTheAccountThatItAdds()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = NewApp(new WwsfApp().With(provider).With("Wwsf:OpenIdConnect:ImpuClaim", "preferred_username"));
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());
        Assert.Equal("/", await browser.LogInAsync());
        provider.IsDenied = true;
        await browser.LogInAsync();

        var carol = await PseudonymAsync(app, "carol");
        Assert.Equal([$"The provider's log-in added account {carol}"], _events.Named("audit.account_added"));
        Assert.Equal([$"The provider's log-in changed the subscription of user {carol}"], _events.Named("audit.subscription_changed"));
        var logins = _events.Named("audit.log_in").ToList();
        Assert.Equal(2, logins.Count);
        Assert.All(logins, text => Assert.StartsWith($"User {carol} logged in by external", text));
        Assert.Contains(_events.Named("log_in.refused"), text => text.EndsWith("refused: external_denied", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("locked", "user locked")]
    [InlineData("deleted", "user deleted")]
    [InlineData("changed", "security stamp of the user changed")]
    [Requirement("SEC-28")]
    public async Task SessionsThatTheServiceEnds_AreAuditedWithTheReason(string what, string reason)
    {
        var time = new ObservedTime(TimeProvider.System.GetUtcNow());
        using var app = NewApp(new WwsfApp { Time = time });
        await app.OpenPageAsAliceAsync();
        var alice = await PseudonymAsync(app, "alice");
        await app.ChangeUserAsync("alice", (users, user) => what switch
        {
            "locked" => users.SetLockoutEndDateAsync(user, DateTimeOffset.MaxValue),
            "deleted" => users.DeleteAsync(user),
            _ => users.UpdateSecurityStampAsync(user),
        });
        await SessionSweeps.RunAsync(time);

        var ended = Assert.Single(_events.Named("audit.session_ended"));
        Assert.EndsWith($" of user {alice} ended: {reason}", ended);
    }

    [Fact]
    [Requirement("SEC-28")]
    public async Task Guests_AndTheRateLimit_AreLogged()
    {
        using var app = NewApp(new WwsfApp().With("Wwsf:Limits:AnonymousSessionsPerMinute", "1"));
        var page = await app.OpenPageAsGuestAsync();
        await page.SignOutAsync();
        await page.ContinueAsGuestAsync();

        Assert.Single(_events.Named("guest.began"));
        Assert.Single(_events.Named("guest.ended"));
        Assert.Equal(["A request from 127.0.0.1 exceeded the limit of anonymous sessions"], _events.Named("rate_limit.refused"));
    }

    /// <summary>Strangers cannot fill the disk with refusals, and no event of a user is left out for them.</summary>
    [Fact]
    [Requirement("SEC-28")]
    public async Task RefusalsWithoutEnd_AreBounded_AndEventsOfUsersAreAllKept()
    {
        var time = new ObservedTime(TimeProvider.System.GetUtcNow());
        using var app = NewApp(new WwsfApp { Time = time }.With("Wwsf:Limits:LoginsPerMinute", "1000"));
        var page = await app.OpenPageAsync();
        for (var i = 0; i < 40; i++) await page.SendAsync(HttpMethod.Post, "/api/session/passkey", new { });
        for (var i = 0; i < 20; i++) await page.LogInAsync("alice", "alice-calls-bob");

        Assert.Equal(10, _events.Named("log_in.refused").Count());
        Assert.Equal(20, _events.Named("audit.log_in").Count());
        Assert.Equal(19, _events.Named("audit.session_ended").Count());
    }

    private WwsfApp NewApp(WwsfApp app) => app.WithServices(services => services.AddSingleton<ILoggerProvider>(_events));

    private static async Task<string> PseudonymAsync(WwsfApp app, string name)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return Pseudonym.Of((await scope.ServiceProvider.GetRequiredService<UserManager<User>>().FindByNameAsync(name))!.Id);
    }

    private sealed class EventRecorder : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<(string? Name, string Text)> _events = [];

        public IEnumerable<string> All => _events.Select(happened => happened.Text);

        public IEnumerable<string> Named(string name) => _events.Where(happened => happened.Name == name).Select(happened => happened.Text);

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _events.Enqueue((eventId.Name, formatter(state, exception)));

        public void Dispose()
        {
        }
    }
}
