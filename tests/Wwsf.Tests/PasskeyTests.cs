using System.Net;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Passkeys with a software authenticator. The end-to-end tests use that of a browser.</summary>
public sealed class PasskeyTests
{
    [Fact]
    public async Task LogIn_AsksForAPasskeyOfThisSiteThatVerifiesItsUser()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var asked = await page.SendAsync(HttpMethod.Post, "/api/session/passkey/options", null, ("X-Forwarded-Host", "calls.example.com"));

        Assert.Equal("calls.example.com", asked.Text("rpId"));
        Assert.Equal("required", asked.Text("userVerification"));
        Assert.Equal(0, asked.Json.GetProperty("allowCredentials").GetArrayLength());
        var cookie = Assert.Single(asked.SetCookies, cookie => cookie.StartsWith("wwsf-passkey=", StringComparison.Ordinal));
        foreach (var attribute in (string[])["httponly", "samesite=strict", "path=/api", "max-age=300"])
            Assert.Contains(attribute, cookie, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task NewPasskey_IsForTheAccountAndWorksWithoutAName()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "alice-calls-bob");
        var asked = await page.SendAsync(HttpMethod.Post, "/api/passkeys/options");

        Assert.Equal("alice", asked.Json.GetProperty("user").GetProperty("name").GetString());
        Assert.Equal("Alice", asked.Json.GetProperty("user").GetProperty("displayName").GetString());
        Assert.Equal("required", asked.Json.GetProperty("authenticatorSelection").GetProperty("residentKey").GetString());
    }

    [Fact]
    public async Task Guest_CannotAddOne()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsGuestAsync();

        foreach (var path in (string[])["/api/passkeys/options", "/api/passkeys"])
        {
            var answer = await page.SendAsync(HttpMethod.Post, path, new { });
            Assert.Equal(HttpStatusCode.Forbidden, answer.Status);
            Assert.Equal("passkey_needs_user", answer.Code);
        }
    }

    [Theory]
    [InlineData("/api/passkeys/options")]
    [InlineData("/api/passkeys")]
    public async Task WithoutASession_CannotAddOne(string path)
    {
        using var app = new WwsfApp();
        Assert.Equal("not_signed_in", (await (await app.OpenPageAsync()).SendAsync(HttpMethod.Post, path, new { })).Code);
    }

    [Fact]
    public async Task PasskeyOfTheAccount_LogsInAgainAndAgain_AndACloneDoesNot()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);

        for (var i = 0; i < 3; i++)
        {
            await page.SignOutAsync();
            Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
            Assert.Equal("alice", (await page.LoadAsync()).Text("user"));
        }
        Assert.Equal(3, app.Counts["wwsf.sessions kind=passkey outcome=ok"]);

        // A copy of the key signs with a counter that the account has seen.
        authenticator.Counter--;
        await page.SignOutAsync();
        Assert.Equal("passkey_failed", (await authenticator.LogInAsync(page)).Code);
        Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
    }

    /// <summary>The challenge names the account that it was made for, and another user may have logged in since.</summary>
    [Fact]
    [Requirement("ABUSE-92")]
    public async Task PasskeyMadeForAnotherUser_IsNotAdded()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        var forAlice = await Authenticator.OptionsAsync(page, "/api/passkeys/options");
        Assert.Equal("bob", (await page.LogInAsync("bob", "bob-calls-alice")).Text("user"));

        Assert.Equal("passkey_not_added", (await authenticator.SendAsync(page, "/api/passkeys", authenticator.Create(forAlice))).Code);
        Assert.Equal("passkey_failed", (await authenticator.LogInAsync(page)).Code);

        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);
        Assert.Equal("bob", (await authenticator.LogInAsync(page)).Text("user"));
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task ResponseToTheOtherChallengeOrOrigin_IsRefused()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        var creation = await Authenticator.OptionsAsync(page, "/api/passkeys/options");
        var request = await Authenticator.OptionsAsync(page, "/api/session/passkey/options");
        Assert.Equal("passkey_not_added", (await authenticator.SendAsync(page, "/api/passkeys", authenticator.Create(creation))).Code);
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);

        await Authenticator.OptionsAsync(page, "/api/session/passkey/options");
        Assert.Equal("passkey_failed", (await authenticator.SendAsync(page, "/api/session/passkey", authenticator.Get(request))).Code);

        request = await Authenticator.OptionsAsync(page, "/api/session/passkey/options");
        var elsewhere = await page.SendAsync(
            HttpMethod.Post, "/api/session/passkey", authenticator.Get(request), ("Origin", "http://elsewhere.example"));
        Assert.Equal("passkey_failed", elsewhere.Code);
    }

    [Fact]
    public async Task AccountThatTheOperatorLocked_IsRefused_AndWrongPasswordsLockNoPasskey()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        await authenticator.AddToAsync(page);

        for (var i = 0; i < 5; i++) await page.LogInAsync("alice", "a wrong password");
        Assert.Equal("locked_out", (await page.LogInAsync("alice", "alice-calls-bob")).Code);
        Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
        await app.ChangeUserAsync("alice", (users, alice) => users.SetLockoutEndDateAsync(alice, DateTimeOffset.MaxValue));
        await page.LoadAsync();
        Assert.Equal("passkey_failed", (await authenticator.LogInAsync(page)).Code);
    }

    [Fact]
    public async Task Account_HasTwentyPasskeysAtMost()
    {
        using var app = new WwsfApp().With("Wwsf:Limits:LoginsPerMinute", "1000");
        var page = await app.OpenPageAsAliceAsync();
        for (var i = 0; i < 20; i++)
        {
            using var authenticator = new Authenticator();
            Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);
        }

        var refused = await page.SendAsync(HttpMethod.Post, "/api/passkeys/options");
        Assert.Equal((HttpStatusCode.Conflict, "too_many_passkeys"), (refused.Status, refused.Code));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""
        {"id":"AAAA","rawId":"AAAA","type":"public-key","clientExtensionResults":{},
         "response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AAAA"}}
        """)]
    public async Task AnswerThatIsNone_RefusedWithASentence(string credential)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var answer = JsonSerializer.Deserialize<JsonElement>(credential);

        Assert.Equal("passkey_failed", (await page.SendAsync(HttpMethod.Post, "/api/session/passkey", answer)).Code);
        await page.SendAsync(HttpMethod.Post, "/api/session/passkey/options");
        Assert.Equal("passkey_failed", (await page.SendAsync(HttpMethod.Post, "/api/session/passkey", answer)).Code);
        Assert.Equal(2, app.Counts["wwsf.sessions kind=passkey outcome=passkey_failed"]);

        await page.LogInAsync("alice", "alice-calls-bob");
        await page.SendAsync(HttpMethod.Post, "/api/passkeys/options");
        Assert.Equal("passkey_not_added", (await page.SendAsync(HttpMethod.Post, "/api/passkeys", answer)).Code);
    }

    [Theory]
    [InlineData("/api/session/passkey/options")]
    [InlineData("/api/session/passkey")]
    [InlineData("/api/passkeys/options")]
    [InlineData("/api/passkeys")]
    [Requirement("ABUSE-92")]
    public async Task WithoutAntiforgeryToken_Refused(string path)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsAliceAsync();
        page.AntiforgeryToken = "";
        Assert.Equal("antiforgery", (await page.SendAsync(HttpMethod.Post, path, new { })).Code);
    }
}
