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
        using var first = new WwsfApp(waf: waf);
        first.WithPostgres(postgres.ConnectionString("wwsf"));
        var page = await first.OpenPageAsAliceAsync();
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        var cookie = page.Cookies[Page.SessionCookie];
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
        page.Cookies[Page.SessionCookie] = cookie;
        var alive = await first.OpenPageAsAliceAsync();
        Assert.Single(Directory.GetFiles(Path.Combine(first.Folder, ".data", "keys"), "key-*.xml"));

        using var second = new WwsfApp(waf: waf).WithPostgres(postgres.ConnectionString("wwsf"), first);
        var again = await second.OpenPageAsync();
        Assert.Equal("bob", (await again.LogInAsync("bob", "bob-calls-alice")).Text("user"));
        await again.SignOutAsync();
        Assert.Equal("session_expired", (await (await page.MoveToAsync(second)).TurnTokenAsync()).Code);
        Assert.Equal(HttpStatusCode.OK, (await (await alive.MoveToAsync(second)).TurnTokenAsync()).Status);
    }
}
