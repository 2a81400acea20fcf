using System.Net;
using System.Text.Json;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>What the WWSF asks authenticators, and whom it does not take. The whole exchange with a browser is among the end-to-end tests.</summary>
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
        foreach (var attribute in (string[])["httponly", "samesite=strict", "path=/api", "max-age=300"]) Assert.Contains(attribute, cookie, StringComparison.OrdinalIgnoreCase);
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

    [Fact]
    public async Task Nobody_CannotAddOne()
    {
        using var app = new WwsfApp();
        Assert.Equal("not_signed_in", (await (await app.OpenPageAsync()).SendAsync(HttpMethod.Post, "/api/passkeys/options")).Code);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AAAA"},"clientExtensionResults":{}}""")]
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

    [Fact]
    public async Task WithoutAntiforgeryToken_Refused()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        page.AntiforgeryToken = "";
        Assert.Equal("antiforgery", (await page.SendAsync(HttpMethod.Post, "/api/session/passkey/options")).Code);
    }
}
