using System.Net;
using System.Text;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Tests;

public sealed class LoginTests
{
    [Fact]
    public async Task UnknownUserAndWrongPassword_GetTheSameAnswer()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var wrong = await page.LogInAsync("alice", "not her password");
        var unknown = await page.LogInAsync("mallory", "not her password");

        foreach (var answer in (Answer[])[wrong, unknown])
        {
            Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
            Assert.Equal("login_failed", answer.Code);
            Assert.Equal("User name or password is wrong. Check both and try again.", answer.Text("detail"));
            Assert.Empty(answer.SetCookies);
        }
        Assert.Equal(2, app.Counts["wwsf.sessions kind=user outcome=login_failed"]);
    }

    [Theory]
    [InlineData("alice")]
    [InlineData("mallory")]
    public async Task FiveWrongPasswords_LockTheNameWhetherSomebodyHasItOrNot(string name)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        for (var i = 0; i < 5; i++) Assert.Equal("login_failed", (await page.LogInAsync(name, "wrong password")).Code);

        var answer = await page.LogInAsync(name, "alice-calls-bob");
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.Status);
        Assert.Equal("locked_out", answer.Code);
        Assert.Equal("After several wrong passwords this name has to wait. Try again in 5 minutes.", answer.Text("detail"));
        Assert.InRange(int.Parse(answer.Headers["Retry-After"], null), 240, 300);
        Assert.Equal("bob", (await page.LogInAsync("bob", "bob-calls-alice")).Text("user"));
    }

    [Fact]
    public async Task RightPassword_ForgetsTheWrongOnes()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < 4; i++) Assert.Equal("login_failed", (await page.LogInAsync("alice", "wrong password")).Code);
            Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
        }
    }

    [Fact]
    public async Task GuessesAtTheSameMoment_AllCount()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => page.LogInAsync("alice", "wrong password")));

        Assert.All(answers, answer => Assert.True(answer.Code is "login_failed" or "locked_out", answer.Code));
        Assert.Equal("locked_out", (await page.LogInAsync("alice", "alice-calls-bob")).Code);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"user_name":"alice"}""")]
    [InlineData("""{"user_name":"alice","password":""}""")]
    [InlineData("""{"user_name":"alice","password":7}""")]
    [InlineData("""{"user_name":""")]
    [InlineData("[]")]
    [InlineData("null")]
    public async Task IncompleteBody_InvalidRequestWithASentence(string body)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var content = new StringContent(body, Encoding.UTF8, "application/json");
        var answer = await page.SendAsync(HttpMethod.Post, "/api/session/login", content);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Equal("invalid_request", answer.Code);
        Assert.NotEmpty(answer.Text("detail")!);
    }

    [Theory]
    [InlineData("utf-7", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("utf-16", HttpStatusCode.BadRequest)]
    [InlineData("nonsense", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("\"no such\"", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("UTF-8", HttpStatusCode.Unauthorized)]
    [InlineData("\"utf-8\"", HttpStatusCode.Unauthorized)]
    [Requirement("SEC-39")]
    public async Task CharsetOfABody_IsNeverAFailureOfTheService(string charset, HttpStatusCode expected)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();

        foreach (var path in (string[])["/api/session/login", "/api/session/passkey"])
        {
            var content = new StringContent("""{"user_name":"nobody","password":"wrong"}""");
            content.Headers.Remove("Content-Type");
            content.Headers.TryAddWithoutValidation("Content-Type", $"application/json; charset={charset}");
            var answer = await page.SendAsync(HttpMethod.Post, path, content);
            Assert.Equal(expected, answer.Status);
            Assert.NotEmpty(answer.Text("detail")!);
        }
    }

    [Fact]
    public async Task VeryLongNameOrPassword_LoginFailed()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();

        Assert.Equal("login_failed", (await page.LogInAsync(new string('a', 300), "alice-calls-bob")).Code);
        Assert.Equal("login_failed", (await page.LogInAsync("alice", new string('a', 3000))).Code);
    }

    [Theory]
    [InlineData("alice", "alice-calls-bob")]
    [InlineData("bob", "bob-calls-alice")]
    [InlineData("alice", "bob-calls-alice")]
    [Requirement("SEC-24")]
    public async Task StoreWithADemoPassword_StopsTheStartOutsideDevelopment(string name, string password)
    {
        using var development = new WwsfApp();
        await development.StartAsync();
        foreach (var demo in (string[])["alice", "bob"])
        {
            await development.ChangeUserAsync(demo, (users, user) => users.RemovePasswordAsync(user));
            await development.ChangeUserAsync(demo, (users, user) =>
                users.AddPasswordAsync(user, demo == name ? password : "a-password-of-their-own"));
        }

        var check = new NoDemoUsers(development.Services.GetRequiredService<IServiceScopeFactory>());
        var error = await Assert.ThrowsAsync<SettingsException>(() => check.StartAsync(TestContext.Current.CancellationToken));
        Assert.StartsWith($"ConnectionStrings:wwsf names a store in which the user '{name}' has the public password", error.Message);
        Assert.DoesNotContain(password, error.Message);
        // The host of the tests does not pass the exception on.
        using var production = new WwsfApp("Production").WithDatabaseOf(development);
        await Assert.ThrowsAnyAsync<Exception>(production.StartAsync);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("SEC-24")]
    public async Task StoreWithAUserOfTheSameName_IsNotRefused(bool isLocked)
    {
        using var development = new WwsfApp();
        await development.StartAsync();
        foreach (var demo in (string[])["alice", "bob"])
        {
            await development.ChangeUserAsync(demo, async (users, user) => isLocked
                ? await users.SetLockoutEndDateAsync(user, DateTimeOffset.MaxValue)
                : await users.RemovePasswordAsync(user));
        }

        using var production = new WwsfApp("Production").WithDatabaseOf(development);
        await production.StartAsync();
    }

    [Theory]
    [InlineData("Development", true)]
    [InlineData("Production", false)]
    [InlineData("Staging", false)]
    [Requirement("SEC-24")]
    public async Task DemoUsers_ExistInDevelopmentOnly(string environment, bool exist)
    {
        using var app = new WwsfApp(environment);
        var page = await app.OpenPageAsync();

        await using var scope = app.Services.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<User>>();
        Assert.Equal(exist ? 2 : 0, users.Users.Count());
        Assert.Equal(exist ? "alice" : null, (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
        Assert.Equal(exist ? "bob" : null, (await page.LogInAsync("bob", "bob-calls-alice")).Text("user"));
    }
}
