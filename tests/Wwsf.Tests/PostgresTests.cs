using System.Net;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Users and ended sessions in a real PostgreSQL.</summary>
public sealed class PostgresTests
{
    [Fact]
    public async Task Users_LogInAndSignOut_AndTheSessionStaysEndedAfterARestart()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var waf = await ScriptedWaf.StartAsync();
        using var first = new WwsfApp(waf: waf).With("ConnectionStrings:wwsf", postgres.ConnectionString("wwsf"));
        var page = await first.OpenPageAsync();
        Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        var cookies = page.Cookies.ToDictionary();
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);

        using var second = new WwsfApp(waf: waf).With("ConnectionStrings:wwsf", postgres.ConnectionString("wwsf"));
        var again = await second.OpenPageAsync();
        Assert.Equal("bob", (await again.LogInAsync("bob", "bob-calls-alice")).Text("user"));
        var ended = await second.OpenPageAsync();
        foreach (var cookie in cookies) ended.Cookies[cookie.Key] = cookie.Value;
        await ended.LoadAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, (await ended.TurnTokenAsync()).Status);
    }
}
