using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// A few addresses cannot take all identities of guests: each has a small share, and an identity without a registration is soon free.
/// </summary>
[Requirement("SEC-11")]
public sealed class GuestLeaseTests
{
    [Theory]
    [InlineData(50, 5, 25)]
    [InlineData(10_000, 1000, 5000)]
    [InlineData(9, 1, 4)]
    [InlineData(1, 1, 1)]
    public void Shares_AreATenthAndAHalfByDefault(int size, int perAddress, int unregistered)
    {
        var pool = new PoolSettings { Size = size };
        Assert.Equal((perAddress, unregistered), (pool.MaxPerAddress, pool.MaxUnregistered));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task OneAddress_HasATenthOfThePool_RegisteredOrNot(Store store)
    {
        await using var system = await StartAsync(store, size: 20);
        system.EpCscf.RegistersEverybody = true;
        var pages = await system.GuestsAsync(4);
        foreach (var (page, address) in pages.Zip((string[])["2001:db8::1", "2001:db8::2", "2001:db8::3"]).Take(2))
            Assert.Equal(HttpStatusCode.OK, (await FromAsync(page, address)).Status);

        Assert.Equal("too_many_guests", (await FromAsync(pages[2], "2001:db8:0:0:ffff::3")).Code);
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[3], "2001:db8:0:1::1")).Status);
    }

    /// <summary>Only in Development this machine has no limit. Elsewhere its address may be that of a proxy for everybody.</summary>
    [Theory]
    [InlineData("Development", null, null)]
    [InlineData("Development", "127.0.0.1", null)]
    [InlineData("Development", "203.0.113.7", "too_many_guests")]
    [InlineData("Production", null, "too_many_guests")]
    [InlineData("Production", "127.0.0.1", "too_many_guests")]
    [InlineData("Production", "203.0.113.7", "too_many_guests")]
    public async Task ThisMachine_HasNoShareOfItsOwnInDevelopmentOnly(string environment, string? forwardedFor, string? code)
    {
        await using var system = await StartAsync(Store.Memory, size: 10);
        system.App.With("environment", environment);
        var pages = await system.GuestsAsync(2);
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[0], forwardedFor)).Status);

        Assert.Equal(code, (await FromAsync(pages[1], forwardedFor)).Code);
    }

    /// <summary>Behind a TLS terminator on the same machine, the addresses that it forwards count.</summary>
    [Fact]
    public async Task ProxyOnThisMachine_EachForwardedAddressHasItsShare()
    {
        await using var system = await StartAsync(Store.Memory, size: 10);
        system.App.With("environment", "Production");
        var pages = await system.GuestsAsync(2);

        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[0], "203.0.113.7")).Status);
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[1], "203.0.113.8")).Status);
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task GuestWhoDoesNotRegister_LosesIdentityAndSession_AndTheIdentityIsFreeAtOnce(Store store)
    {
        await using var system = await StartAsync(store, size: 2);
        var page = (await system.GuestsAsync(1))[0];
        await ImpuAsync(page);
        var sid = system.Waf.Requests[0].Form["sid"];

        await AdvanceAsync(system, 25);
        Assert.Equal(1, await TakenAsync(system));
        Assert.DoesNotContain(("end", sid), system.EpCscf.Requests);

        system.Time.Advance(TimeSpan.FromSeconds(5));
        await Eventually.IsTrueAsync(async () => await TakenAsync(system) == 0);
        // Its token can no longer register.
        Assert.Contains(("end", sid), system.EpCscf.Requests);
        Assert.Equal("session_expired", (await page.ImsTokenAsync()).Code);
        await Eventually.IsTrueAsync(() => system.App.Counts.GetValueOrDefault("wwsf.pool.reclaimed") == 1);
        Assert.Equal(0, await TakenAsync(system));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task AskingAgain_DoesNotExtendTheTimeToRegister(Store store)
    {
        await using var system = await StartAsync(store, size: 2);
        var page = (await system.GuestsAsync(1))[0];
        var impu = await ImpuAsync(page);
        for (var i = 0; i < 5; i++)
        {
            await AdvanceAsync(system, 5);
            Assert.Equal(impu, await ImpuAsync(page));
        }

        system.Time.Advance(TimeSpan.FromSeconds(5));
        await Eventually.IsTrueAsync(async () => await TakenAsync(system) == 0);
        Assert.Equal("session_expired", (await page.ImsTokenAsync()).Code);
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task GuestWhoRegistered_KeepsTheIdentityWithoutAsking(Store store)
    {
        await using var system = await StartAsync(store, size: 2);
        var page = (await system.GuestsAsync(1))[0];
        var impu = await ImpuAsync(page);
        var sid = system.Waf.Requests[0].Form["sid"];
        system.EpCscf.Registered[sid] = true;
        system.Time.Advance(TimeSpan.FromSeconds(5));
        await Eventually.IsTrueAsync(async () => (await UnregisteredAsync(system)).Count == 0);

        // The network of the page is away for a while.
        system.EpCscf.Registered.Clear();
        for (var i = 0; i < 20; i++) system.Time.Advance(TimeSpan.FromSeconds(30));
        system.EpCscf.Registered[sid] = true;
        Assert.Equal(impu, await ImpuAsync(page));
        Assert.DoesNotContain(("end", sid), system.EpCscf.Requests);
    }

    /// <summary>Otherwise a guest who registered once could keep an identity for ever.</summary>
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task TokenWithoutRegistration_NeedsOneInTime_AlsoAfterAnEarlierOne(Store store)
    {
        await using var system = await StartAsync(store, size: 2);
        var page = (await system.GuestsAsync(1))[0];
        await ImpuAsync(page);
        var sid = system.Waf.Requests[0].Form["sid"];
        system.EpCscf.Registered[sid] = true;
        system.Time.Advance(TimeSpan.FromSeconds(5));
        await Eventually.IsTrueAsync(async () => (await UnregisteredAsync(system)).Count == 0);
        system.EpCscf.Registered.Clear();
        await ImpuAsync(page);
        Assert.Equal(sid, Assert.Single(await UnregisteredAsync(system)).Sid);

        system.Time.Advance(TimeSpan.FromSeconds(30));
        await Eventually.IsTrueAsync(() => system.App.Counts.GetValueOrDefault("wwsf.pool.reclaimed") == 1);
        Assert.Equal("session_expired", (await page.ImsTokenAsync()).Code);
        // Others may know this identity, so it is in quarantine.
        Assert.Equal(1, await TakenAsync(system));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task TooManyWithoutRegistration_TheOldestGivesWay(Store store)
    {
        await using var system = await StartAsync(store, size: 10, unregistered: 2);
        var pages = await system.GuestsAsync(4);
        await ImpuAsync(pages[0]);
        system.Time.Advance(TimeSpan.FromSeconds(1));
        await ImpuAsync(pages[1]);
        system.Time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal("no_free_identity", (await pages[2].ImsTokenAsync()).Code);

        system.Time.Advance(TimeSpan.FromSeconds(1));
        await ImpuAsync(pages[2]);
        Assert.Equal("session_expired", (await pages[0].ImsTokenAsync()).Code);
        Assert.Equal(HttpStatusCode.OK, (await pages[1].ImsTokenAsync()).Status);
        Assert.Equal(2, await TakenAsync(system));
    }

    /// <summary>Pages that register do not wait for each other.</summary>
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task CrowdThatRegisters_GetsTheWholePoolAtOnce(Store store)
    {
        await using var system = await StartAsync(store, size: 8, unregistered: 1);
        system.EpCscf.RegistersEverybody = true;
        var impus = new List<string>();
        foreach (var page in await system.GuestsAsync(8)) impus.Add(await ImpuAsync(page));

        Assert.Equal(8, impus.Distinct().Count());
        Assert.DoesNotContain(system.EpCscf.Requests, request => request.Action == "end");
    }

    /// <summary>A full pool: guests who registered keep their identities, one who did not gives way.</summary>
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task FullPool_OnlyAGuestWithoutRegistrationGivesWay(Store store)
    {
        await using var system = await StartAsync(store, size: 3, unregistered: 3);
        var pages = await system.GuestsAsync(4);
        foreach (var page in pages.Take(3)) await ImpuAsync(page);
        foreach (var i in (int[])[0, 2]) system.EpCscf.Registered[system.Waf.Requests[i].Form["sid"]] = true;
        system.Time.Advance(TimeSpan.FromSeconds(5));

        await ImpuAsync(pages[3]);
        Assert.Equal("session_expired", (await pages[1].ImsTokenAsync()).Code);
        foreach (var i in (int[])[0, 2]) Assert.Equal(HttpStatusCode.OK, (await pages[i].ImsTokenAsync()).Status);
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task ManyAddressesWithoutRegistrations_DoNotKeepThePoolFromOthers(Store store)
    {
        await using var system = await StartAsync(store, size: 10);
        system.App.With("Wwsf:Limits:AnonymousSessionsPerMinute", "1000");
        var attackers = await system.GuestsAsync(30);
        var guests = await system.GuestsAsync(2);
        async Task<int> AttackAsync()
        {
            var taken = 0;
            foreach (var (number, page) in attackers.Index())
            {
                if ((await FromAsync(page, $"2001:db8:0:{number:x}::1")).Status == HttpStatusCode.OK) taken++;
            }
            return taken;
        }

        Assert.Equal(5, await AttackAsync());
        system.Time.Advance(TimeSpan.FromSeconds(5));
        foreach (var (number, page) in guests.Index())
        {
            var token = await FromAsync(page, $"2001:db8:1:{number}::1");
            Assert.Equal(HttpStatusCode.OK, token.Status);
            system.EpCscf.Registered[system.Waf.Requests.Last().Form["sid"]] = true;
        }

        for (var i = 0; i < 3; i++)
        {
            system.Time.Advance(TimeSpan.FromSeconds(5));
            await AttackAsync();
        }
        foreach (var (number, page) in guests.Index())
            Assert.Equal(HttpStatusCode.OK, (await FromAsync(page, $"2001:db8:1:{number}::1")).Status);
        Assert.True(await TakenAsync(system) <= 7);
    }

    /// <summary>As long as the eP-CSCF may accept the old token, no other guest gets the identity.</summary>
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task EpCscfDoesNotAnswer_TheIdentityIsNotGivenAway_UntilItDoes(Store store)
    {
        await using var system = await StartAsync(store, size: 1);
        system.EpCscf.Trouble = context =>
        {
            context.Response.StatusCode = 503;
            return Task.FromResult(true);
        };
        var pages = await system.GuestsAsync(2);
        var impu = await ImpuAsync(pages[0]);
        await AdvanceAsync(system, 60);
        Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);
        Assert.Equal(impu, await ImpuAsync(pages[0]));

        system.EpCscf.Trouble = _ => Task.FromResult(false);
        Assert.Equal(impu, await ImpuAsync(pages[1]));
    }

    [Fact]
    public async Task IdentityLostWhileTheWafAnswers_TheTokenIsNotIssued()
    {
        await using var system = await StartAsync(Store.Memory, size: 1);
        var pages = await system.GuestsAsync(2);
        system.Waf.Script = async (context, number) =>
        {
            if (number == 1)
            {
                await LeasesOf(system).ReleaseAsync(system.Waf.Requests[0].Form["sid"], TimeSpan.Zero);
                await ImpuAsync(pages[1]);
            }
            await ScriptedWaf.Json(context, 200, ScriptedWaf.RegistrationAnswer(600));
        };

        Assert.Equal("session_expired", (await pages[0].ImsTokenAsync()).Code);
    }

    [Fact]
    public async Task FrameThatDoesNotRegister_LosesOnlyItsOwnSession()
    {
        await using var system = await StartAsync(Store.Memory, size: 4);
        var page = (await system.GuestsAsync(1))[0];
        var frame = await page.OpenFrameAsync();
        await frame.ContinueAsGuestAsync();
        var impu = await ImpuAsync(page);
        system.EpCscf.Registered[system.Waf.Requests[0].Form["sid"]] = true;
        await ImpuAsync(frame);
        system.Time.Advance(TimeSpan.FromSeconds(30));
        await Eventually.IsTrueAsync(async () => await TakenAsync(system) == 1);

        Assert.Equal("session_expired", (await frame.ImsTokenAsync()).Code);
        Assert.Equal(impu, await ImpuAsync(page));
    }

    /// <summary>Otherwise coming and going from many addresses would fill the pool with quarantines.</summary>
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task SignedOutWithoutRegistration_TheQuarantineGivesWay(Store store)
    {
        await using var system = await StartAsync(store, size: 2, unregistered: 2);
        var pages = await system.GuestsAsync(4);
        foreach (var page in pages.Take(2))
        {
            await ImpuAsync(page);
            await page.SignOutAsync();
        }
        Assert.Equal(2, await TakenAsync(system));
        Assert.Equal("no_free_identity", (await pages[2].ImsTokenAsync()).Code);

        system.Time.Advance(TimeSpan.FromSeconds(5));
        await ImpuAsync(pages[2]);
        await AdvanceAsync(system, 24);
        Assert.Equal(2, await TakenAsync(system));
        system.Time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.IsTrueAsync(async () => await TakenAsync(system) == 1);
        await ImpuAsync(pages[3]);
    }

    // With the default share of an address.
    private static async Task<PoolSystem> StartAsync(Store store, int size, int? unregistered = null)
    {
        var system = await PoolSystem.StartAsync(store, size);
        system.EpCscf.RegistersEverybody = false;
        system.App.With("Wwsf:Pool:PerAddress", "").With("Wwsf:Pool:Unregistered", unregistered is { } count ? $"{count}" : "");
        return system;
    }

    private static ILeaseStore LeasesOf(PoolSystem system) => system.App.Services.GetRequiredService<ILeaseStore>();

    private static Task<int> TakenAsync(PoolSystem system) => LeasesOf(system).CountTakenAsync();

    private static Task<IReadOnlyList<UnregisteredLease>> UnregisteredAsync(PoolSystem system) =>
        LeasesOf(system).FindUnregisteredAsync(100);

    /// <summary>Advances the time and waits until a sweep has asked the eP-CSCF.</summary>
    private static async Task AdvanceAsync(PoolSystem system, int seconds)
    {
        var asked = system.EpCscf.Requests.Count;
        system.Time.Advance(TimeSpan.FromSeconds(seconds));
        await Eventually.IsTrueAsync(() => system.EpCscf.Requests.Count > asked);
    }

    private static Task<Answer> FromAsync(Page page, string? address) =>
        page.SendAsync(HttpMethod.Post, page.Api + "/ims-token", null, address is null ? [] : [("X-Forwarded-For", address)]);

    private static async Task<string> ImpuAsync(Page page)
    {
        var answer = await page.ImsTokenAsync();
        Assert.Equal((HttpStatusCode.OK, null), (answer.Status, answer.Code));
        return answer.Text("impu")!;
    }
}
