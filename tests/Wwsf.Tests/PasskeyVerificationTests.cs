using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// The verification of passkeys (WebAuthn §7.1 and §7.2): each response is good once, for the relying party of the settings.
/// </summary>
public sealed class PasskeyVerificationTests
{
    private const string Elsewhere = "https://evil.example";

    [Fact]
    [Requirement("SEC-9")]
    public async Task ResponseToALogInChallenge_WorksOnce_AlsoAtAnotherReplica()
    {
        using var app = new WwsfApp();
        using var replica = new WwsfApp().WithDatabaseOf(app);
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        await authenticator.AddToAsync(page);
        await page.SignOutAsync();
        // Most passkeys do not count.
        authenticator.Counter = uint.MaxValue;
        var response = authenticator.Get(await Authenticator.OptionsAsync(page, "/api/session/passkey/options"));
        var copies = new[] { Copy(page, await app.OpenPageAsync()), Copy(page, await replica.OpenPageAsync()) };

        Assert.Equal("alice", (await authenticator.SendAsync(page, "/api/session/passkey", response)).Text("user"));
        foreach (var copy in copies)
        {
            Assert.Equal("passkey_failed", (await authenticator.SendAsync(copy, "/api/session/passkey", response)).Code);
            Assert.DoesNotContain(Page.SessionCookie, copy.Cookies.Keys);
        }

        await page.SignOutAsync();
        Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
    }

    [Fact]
    [Requirement("SEC-9")]
    public async Task CopiesThatComeAtOnce_OneGetsASession()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        await authenticator.AddToAsync(page);
        await page.SignOutAsync();
        var response = authenticator.Get(await Authenticator.OptionsAsync(page, "/api/session/passkey/options"));
        var copies = new List<Page>();
        for (var i = 0; i < 8; i++) copies.Add(Copy(page, await app.OpenPageAsync()));

        var answers = await Task.WhenAll(copies.Select(copy => authenticator.SendAsync(copy, "/api/session/passkey", response)));

        Assert.Single(answers, answer => answer.Text("user") == "alice");
        Assert.Equal(7, answers.Count(answer => answer.Code == "passkey_failed"));
    }

    [Fact]
    [Requirement("SEC-9")]
    public async Task ResponseToAnAddChallenge_WorksOnce_EvenAfterThePasskeyWasRemoved()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        var response = authenticator.Create(await Authenticator.OptionsAsync(page, "/api/passkeys/options"));
        var copy = Copy(page, await app.OpenPageAsync());
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.SendAsync(page, "/api/passkeys", response)).Status);
        await app.ChangeUserAsync("alice", async (users, alice) =>
            await users.RemovePasskeyAsync(alice, Assert.Single(await users.GetPasskeysAsync(alice)).CredentialId));

        Assert.Equal("passkey_not_added", (await authenticator.SendAsync(copy, "/api/passkeys", response)).Code);
    }

    /// <summary>Only a response that was verified uses up a challenge, so strangers cannot fill the store.</summary>
    [Fact]
    [Requirement("SEC-9")]
    public async Task WrongResponses_AreNotRemembered()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsync();
        for (var i = 0; i < 3; i++) Assert.Equal("passkey_failed", (await authenticator.LogInAsync(page)).Code);

        Assert.Equal(0, await app.CountUsedValuesAsync());
    }

    [Fact]
    [Requirement("SEC-9")]
    public async Task UsedChallenges_AreForgottenWhenTheyHaveExpired()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WwsfApp { Time = time };
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        await authenticator.AddToAsync(page);
        for (var i = 0; i < 3; i++) await authenticator.LogInAsync(page);
        Assert.Equal(4, await app.CountUsedValuesAsync());

        time.Advance(TimeSpan.FromMinutes(5));
        await authenticator.LogInAsync(page);
        Assert.Equal(5, await app.CountUsedValuesAsync());
        time.Advance(TimeSpan.FromMinutes(1.1));
        await authenticator.LogInAsync(page);
        Assert.Equal(2, await app.CountUsedValuesAsync());
    }

    public static TheoryData<string> Faults => [.. AllFaults.Keys];

    private static Dictionary<string, Fault> AllFaults => new()
    {
        ["type"] = new(Type: "webauthn.other"),
        ["type in capitals"] = new(Type: "WEBAUTHN.GET"),
        ["challenge"] = new(Challenge: Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32))),
        ["no challenge"] = new(Challenge: ""),
        ["origin"] = new(Origin: Elsewhere),
        ["origin that contains the right one"] = new(Origin: "http://localhost.evil.example"),
        ["origin with a path"] = new(Origin: "http://localhost/"),
        ["scheme of the origin"] = new(Origin: "https://localhost"),
        ["origin null"] = new(Origin: "null"),
        ["frame of another origin"] = new(CrossOrigin: true),
        ["top origin"] = new(CrossOrigin: true, TopOrigin: Elsewhere),
        ["relying party"] = new(RpId: "evil.example"),
        ["relying party above"] = new(RpId: "example"),
        ["user neither present nor verified"] = new(Flags: 0),
        ["user not present"] = new(Flags: Authenticator.UserVerified),
        ["user not verified"] = new(Flags: Authenticator.UserPresent),
        ["backed up but not eligible"] = new(Flags: Authenticator.UserPresent | Authenticator.UserVerified | 0x10),
    };

    [Theory]
    [MemberData(nameof(Faults))]
    [Requirement("SEC-10")]
    public async Task Response_IsRefusedForEachPartThatIsWrong(string part)
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        authenticator.Fault = AllFaults[part];
        Assert.Equal("passkey_not_added", (await authenticator.AddToAsync(page)).Code);

        authenticator.Fault = new();
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);
        authenticator.Fault = AllFaults[part];
        Assert.Equal("passkey_failed", (await authenticator.LogInAsync(page)).Code);
        authenticator.Fault = new();
        Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
    }

    [Fact]
    [Requirement("SEC-10")]
    public async Task ResponseForAnotherType_IsRefused()
    {
        using var app = new WwsfApp();
        using var authenticator = new Authenticator();
        var page = await app.OpenPageAsAliceAsync();
        authenticator.Fault = new(Type: "webauthn.get");
        Assert.Equal("passkey_not_added", (await authenticator.AddToAsync(page)).Code);
        authenticator.Fault = new();
        await authenticator.AddToAsync(page);

        authenticator.Fault = new(Type: "webauthn.create");
        Assert.Equal("passkey_failed", (await authenticator.LogInAsync(page)).Code);
    }

    /// <summary>The request, the browser and the authenticator agree on a host that is not one of the settings.</summary>
    [Theory]
    [InlineData("Development", "Host")]
    [InlineData("Development", "X-Forwarded-Host")]
    [InlineData("Production", "Host")]
    [InlineData("Production", "X-Forwarded-Host")]
    [Requirement("SEC-10")]
    public async Task RelyingPartyAndOrigin_AreNotWhatTheRequestSays(string environment, string header)
    {
        using var app = new WwsfApp(environment);
        using var authenticator = new Authenticator(WwsfApp.PublicOrigin);
        const string password = "correct-horse-battery";
        await app.StartAsync();
        await app.AddUserAsync("carol", password);
        var page = await app.OpenPageAsync(WwsfApp.PublicOrigin);
        await page.LogInAsync("carol", password);
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);
        // Outside Development the passkey begins another session.
        await page.LoadAsync();
        await page.SignOutAsync();

        var options = await page.SendAsync(HttpMethod.Post, "/api/session/passkey/options", null, (header, "evil.example"));
        Assert.Equal("calls.example.com", options.Text("rpId"));
        authenticator.Fault = new(RpId: "evil.example", Origin: Elsewhere);
        var answer = await page.SendAsync(
            HttpMethod.Post, "/api/session/passkey", authenticator.Get(options.Json), (header, "evil.example"), ("Origin", Elsewhere));

        Assert.Equal("passkey_failed", answer.Code);
    }

    /// <summary>Another port of a listed host is another origin, and a sibling or child of it another host.</summary>
    [Theory]
    [InlineData("https://calls.example.com", true)]
    [InlineData("https://calls.example.com:443", false)]
    [InlineData("https://calls.example.com:8443", false)]
    [InlineData("http://calls.example.com", false)]
    [InlineData("https://other.example.com", false)]
    [InlineData("https://example.com", false)]
    [InlineData("https://evil.calls.example.com", false)]
    [InlineData("http://localhost", false)]
    [InlineData("android:apk-key-hash:AAAA", false)]
    [Requirement("SEC-10")]
    public async Task OutsideDevelopment_OnlyTheListedOriginsAreAccepted(string origin, bool isAccepted)
    {
        using var app = new WwsfApp("Production");
        using var authenticator = new Authenticator(origin);
        await app.StartAsync();
        await app.AddUserAsync("carol", "correct-horse-battery");
        var page = await app.OpenPageAsync(WwsfApp.PublicOrigin);
        await page.LogInAsync("carol", "correct-horse-battery");

        Assert.Equal(isAccepted ? null : "passkey_not_added", (await authenticator.AddToAsync(page)).Code);
    }

    [Theory]
    [InlineData("https://xn--bcher-kva.example")]
    [InlineData("https://bücher.example")]
    [InlineData("https://BÜCHER.example:443/")]
    [Requirement("SEC-10")]
    public async Task InternationalHostName_IsTheRelyingPartyInAscii(string setting)
    {
        using var app = new WwsfApp().With("Wwsf:PublicOrigin:0", setting);
        using var authenticator = new Authenticator("https://xn--bcher-kva.example");
        var page = await app.OpenPageAsync("https://xn--bcher-kva.example");
        await page.LogInAsync("alice", "alice-calls-bob");

        var adding = await Authenticator.OptionsAsync(page, "/api/passkeys/options");
        Assert.Equal("xn--bcher-kva.example", adding.GetProperty("rp").GetProperty("id").GetString());
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);
        await page.SignOutAsync();
        Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
    }

    /// <summary>The first origin is the relying party wherever a browser allows it: at its own host and below.</summary>
    [Theory]
    [InlineData("https://ims.example.com", "ims.example.com")]
    [InlineData("https://phone.ims.example.com", "ims.example.com")]
    [InlineData("https://desk.example:8443", "desk.example")]
    [InlineData("https://badims.example.com", "ims.example.com")]
    [InlineData("http://localhost:5173", "localhost")]
    [InlineData("https://evil.example", "ims.example.com")]
    [Requirement("SEC-10")]
    public async Task SeveralOrigins_EachHasTheFirstRelyingPartyThatABrowserAllowsThere(string page, string relyingParty)
    {
        using var app = new WwsfApp().With("Wwsf:PublicOrigin:0", "https://ims.example.com")
            .With("Wwsf:PublicOrigin:1", "https://phone.ims.example.com").With("Wwsf:PublicOrigin:2", "https://desk.example:8443");

        var options = await Authenticator.OptionsAsync(await app.OpenPageAsync(page), "/api/session/passkey/options");

        Assert.Equal(relyingParty, options.GetProperty("rpId").GetString());
    }

    // The request as a recording has it, with all its cookies.
    private static Page Copy(Page page, Page copy)
    {
        foreach (var (name, value) in page.Cookies) copy.Cookies[name] = value;
        copy.AntiforgeryToken = page.AntiforgeryToken;
        return copy;
    }
}
