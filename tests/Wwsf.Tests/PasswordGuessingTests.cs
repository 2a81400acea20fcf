using System.Buffers.Binary;
using System.Net;
using Microsoft.AspNetCore.Cryptography.KeyDerivation;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Wrong passwords: they do not tell which names exist, and do not lock a user out.</summary>
public sealed class PasswordGuessingTests
{
    private const string Wrong = "a wrong password";

    private readonly SteadyTime _time = new();

    /// <summary>Every answer to a name is the same as that to a name without an account, through each state and a restart.</summary>
    [Theory]
    [InlineData("bob")]
    [InlineData("locked by the operator")]
    [InlineData("locked by the operator, right password")]
    [InlineData("account without a password")]
    [Requirement("SEC-16")]
    public async Task Guesses_GetTheAnswersOfANameThatDoesNotExist_AtEveryStep(string what)
    {
        using var first = NewApp();
        await first.OpenPageAsync();
        var (name, password) = what switch
        {
            "bob" => ("bob", Wrong),
            "locked by the operator" => ("carol", Wrong),
            "locked by the operator, right password" => ("carol", "password-of-carol"),
            _ => ("dave", Wrong),
        };
        await first.AddUserAsync("carol", "password-of-carol");
        await first.ChangeUserAsync("carol", (users, carol) => users.SetLockoutEndDateAsync(carol, DateTimeOffset.MaxValue));
        await first.ChangeUserAsync("bob", (users, _) => users.CreateAsync(new User { UserName = "dave" }));
        using var second = NewApp().WithDatabaseOf(first);

        var seen = new HashSet<string>();
        async Task BothAsync(WwsfApp app, string address)
        {
            var page = await app.OpenPageAsync();
            var existing = await page.LogInFromAsync(address, name, password);
            var unknown = await page.LogInFromAsync(address, "ghost", password);
            Assert.Equal(Describe(unknown), Describe(existing));
            seen.Add(Describe(unknown));
        }

        for (var i = 0; i < 4; i++) await BothAsync(first, "203.0.113.1");
        for (var i = 0; i < 3; i++) await BothAsync(second, "203.0.113.1");
        _time.Advance(FailedLogins.Memory - TimeSpan.FromSeconds(1));
        await BothAsync(second, "203.0.113.1");
        _time.Advance(TimeSpan.FromSeconds(2));
        await BothAsync(second, "203.0.113.1");
        for (var address = 2; address < 6; address++)
        {
            for (var i = 0; i < 6; i++) await BothAsync(first, $"203.0.113.{address}");
        }
        for (var i = 0; i < 3; i++)
        {
            await BothAsync(second, "203.0.113.9");
            await BothAsync(first, "203.0.113.10");
            _time.Advance(TimeSpan.FromSeconds(6));
        }
        _time.Advance(FailedLogins.MemoryOfName);
        for (var i = 0; i < 6; i++) await BothAsync(second, "203.0.113.9");

        // Wrong password, the wait of an address, and the wait of a name.
        Assert.Contains(seen, answer => answer.StartsWith("Unauthorized login_failed", StringComparison.Ordinal));
        Assert.Contains(seen, answer => answer.StartsWith("TooManyRequests locked_out", StringComparison.Ordinal));
        Assert.Contains(seen, answer => answer.EndsWith(" 300", StringComparison.Ordinal));
        Assert.Contains(seen, answer => answer.EndsWith(" 10", StringComparison.Ordinal));
    }

    /// <summary>The time of an answer is mostly that of the hash, so each kind of name needs one hash.</summary>
    [Fact]
    [Requirement("SEC-16")]
    public async Task EveryKindOfName_CostsOneHash()
    {
        var hasher = new CountingHasher();
        using var app = NewApp().Replace<IPasswordHasher<User>>(hasher);
        var page = await app.OpenPageAsync();
        await app.AddUserAsync("carol", "password-of-carol");
        await app.ChangeUserAsync("carol", (users, carol) => users.SetLockoutEndDateAsync(carol, DateTimeOffset.MaxValue));
        await app.ChangeUserAsync("bob", (users, _) => users.CreateAsync(new User { UserName = "dave" }));
        hasher.Work = 0;
        await page.LogInAsync("alice", Wrong);
        Assert.Equal(2, hasher.Work);
        foreach (var name in (string[])["bob", "carol", "dave", "ghost", "another ghost"])
        {
            hasher.Work = 0;
            Assert.Equal("login_failed", (await page.LogInAsync(name, Wrong)).Code);
            Assert.Equal(1, hasher.Work);
        }
    }

    [Fact]
    [Requirement("SEC-17")]
    public async Task StrangerAtAnotherAddress_LocksNobodyOut()
    {
        using var app = NewApp();
        var (stranger, alice) = (await app.OpenPageAsync(), await app.OpenPageAsync());
        for (var i = 0; i < 5; i++) Assert.Equal("login_failed", (await stranger.LogInFromAsync("203.0.113.1", "alice", Wrong)).Code);
        Assert.Equal("locked_out", (await stranger.LogInFromAsync("203.0.113.1", "alice", Wrong)).Code);

        Assert.Equal("alice", (await alice.LogInFromAsync("203.0.113.2", "alice", "alice-calls-bob")).Text("user"));
    }

    /// <summary>An IPv6 host may choose any address of its /64.</summary>
    [Fact]
    [Requirement("SEC-17")]
    public async Task AddressesOfOneIPv6Network_CountTogether()
    {
        using var app = NewApp();
        var stranger = await app.OpenPageAsync();
        for (var i = 1; i < 6; i++) Assert.Equal("login_failed", (await stranger.LogInFromAsync($"2001:db8::{i}", "alice", Wrong)).Code);
        Assert.Equal("locked_out", (await stranger.LogInFromAsync("2001:db8::ffff", "alice", Wrong)).Code);
        Assert.Equal("login_failed", (await stranger.LogInFromAsync("2001:db8:0:1::1", "alice", Wrong)).Code);
    }

    [Fact]
    [Requirement("SEC-17")]
    public async Task ManyAddresses_SlowANameDown_AndNeitherLockItNorAffectItsBrowsers()
    {
        using var app = NewApp();
        var known = await app.OpenPageAsAliceAsync();
        await known.SignOutAsync();
        var stranger = await app.OpenPageAsync();
        for (var i = 0; i < 20; i++) Assert.Equal("login_failed", (await GuessAsync(stranger, i)).Code);
        Assert.Equal("login_failed", (await GuessAsync(stranger, 20)).Code);

        // One attempt of all strangers in ten seconds.
        var waits = await GuessAsync(stranger, 21);
        Assert.Equal((HttpStatusCode.TooManyRequests, "locked_out", "10"), (waits.Status, waits.Code, waits.Headers["Retry-After"]));
        Assert.Equal("alice", (await known.LogInFromAsync("203.0.113.200", "alice", "alice-calls-bob")).Text("user"));
        Assert.Equal("bob", (await (await app.OpenPageAsync()).LogInFromAsync("203.0.113.201", "bob", "bob-calls-alice")).Text("user"));

        var other = await app.OpenPageAsync();
        Assert.Equal("locked_out", (await other.LogInFromAsync("203.0.113.202", "alice", "alice-calls-bob")).Code);
        _time.Advance(FailedLogins.Turn);
        Assert.Equal("alice", (await other.LogInFromAsync("203.0.113.202", "alice", "alice-calls-bob")).Text("user"));

        // The right password of another does not help strangers.
        Assert.Equal("locked_out", (await GuessAsync(stranger, 22)).Code);
    }

    [Fact]
    [Requirement("SEC-17")]
    public async Task ManyAddressesAtTheSameMoment_HaveOneAttemptTogether()
    {
        using var app = NewApp();
        var stranger = await app.OpenPageAsync();
        for (var i = 0; i < 20; i++) await GuessAsync(stranger, i);
        var answers = await Task.WhenAll(Enumerable.Range(30, 10).Select(i => GuessAsync(stranger, i)));

        Assert.Single(answers, answer => answer.Code == "login_failed");
        Assert.Equal(9, answers.Count(answer => answer.Code == "locked_out"));
    }

    [Fact]
    [Requirement("SEC-17")]
    public async Task KnownBrowser_HasACounterOfItsOwn_ForTheNameThatLoggedIn()
    {
        using var app = NewApp();
        var browser = await app.OpenPageAsAliceAsync();
        var cookie = browser.Cookies["wwsf-browser"];
        await browser.SignOutAsync();
        for (var i = 0; i < 5; i++) Assert.Equal("login_failed", (await browser.LogInFromAsync($"203.0.113.{i}", "alice", Wrong)).Code);
        Assert.Equal("locked_out", (await browser.LogInFromAsync("203.0.113.9", "alice", "alice-calls-bob")).Code);
        Assert.Equal("alice", (await (await app.OpenPageAsync()).LogInFromAsync("203.0.113.9", "alice", "alice-calls-bob")).Text("user"));

        // For another name, the cookie has no meaning.
        var stranger = await app.OpenPageAsync();
        stranger.Cookies["wwsf-browser"] = cookie;
        for (var i = 0; i < 5; i++) await stranger.LogInFromAsync("203.0.113.20", "bob", Wrong);
        Assert.Equal("locked_out", (await (await app.OpenPageAsync()).LogInFromAsync("203.0.113.20", "bob", "bob-calls-alice")).Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("CfDJ8APLPUCJbt1EnAKQKDPIk8BtBtroF_n4pU5wx8ujOZWBA1CalHXnjPJpd7hb")]
    [Requirement("SEC-17")]
    public async Task ForgedCookieOfABrowser_IsThatOfAStranger(string cookie)
    {
        using var app = NewApp();
        var page = await app.OpenPageAsync();
        page.Cookies["wwsf-browser"] = cookie;
        for (var i = 0; i < 5; i++) Assert.Equal("login_failed", (await page.LogInFromAsync("203.0.113.1", "alice", Wrong)).Code);

        Assert.Equal("locked_out", (await (await app.OpenPageAsync()).LogInFromAsync("203.0.113.1", "alice", Wrong)).Code);
    }

    [Theory]
    [InlineData("http://localhost", "wwsf-browser", false)]
    [InlineData("https://localhost", "__Host-wwsf-browser", true)]
    [Requirement("SEC-18")]
    public async Task CookieOfABrowser_IsPrivate(string origin, string name, bool secure)
    {
        using var app = NewApp();
        var answer = await (await app.OpenPageAsync(origin)).LogInAsync("alice", "alice-calls-bob");
        var attributes = answer.SetCookies.Single(cookie => cookie.StartsWith(name + '=', StringComparison.Ordinal)).Split("; ")[1..];

        foreach (var attribute in (string[])["httponly", "samesite=strict", "path=/"]) Assert.Contains(attribute, attributes);
        Assert.Equal(secure, attributes.Contains("secure"));
    }

    [Fact]
    [Requirement("SEC-16")]
    public async Task Counters_AreBounded_ExpireAndHaveNoName()
    {
        var time = new ObservedTime(TimeProvider.System.GetUtcNow());
        using var app = new WwsfApp { Time = time };
        var page = await app.OpenPageAsync();
        await PastFailureTime.RunAsync(time, page.LogInFromAsync("203.0.113.1", "mallory", Wrong));
        var rows = await CountersAsync(app);
        Assert.Equal(2, rows.Count);
        Assert.All(rows, row => Assert.InRange(row.Id, 0, (3 << 20) - 1));

        time.Advance(FailedLogins.MemoryOfName);
        await SessionSweeps.RunAsync(time);
        Assert.Empty(await CountersAsync(app));
    }

    [Fact]
    [Requirement("SEC-16")]
    public async Task OtherKeyRing_TheServiceStarts_AndCountsAnew()
    {
        using var first = NewApp();
        var page = await first.OpenPageAsync();
        for (var i = 0; i < 5; i++) await page.LogInAsync("alice", Wrong);
        Directory.Delete(Path.Combine(first.DatabaseDirectory, "keys"), recursive: true);

        using var second = NewApp().WithDatabaseOf(first);
        Assert.Equal("alice", (await (await second.OpenPageAsync()).LogInAsync("alice", "alice-calls-bob")).Text("user"));
    }

    /// <summary>Version 3 of Identity's format: a marker, the function, the rounds, then salt and key.</summary>
    [Fact]
    [Requirement("SEC-16")]
    public async Task NewHash_HasTheRoundsThatOwaspAdvises()
    {
        using var app = new WwsfApp { HashesSlowly = true };
        await app.OpenPageAsAliceAsync();
        var hash = Convert.FromBase64String((await HashOfAliceAsync(app))!);

        Assert.Equal(1, hash[0]);
        Assert.Equal((uint)KeyDerivationPrf.HMACSHA512, BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(1)));
        Assert.Equal(210_000u, BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(5)));
    }

    [Fact]
    [Requirement("SEC-6")]
    public async Task HashOfAnEarlierVersion_IsReplaced_AndOtherSessionsGoOn()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        await app.ChangeUserAsync("alice", (users, alice) =>
        {
            var weak = Options.Create(new PasswordHasherOptions { IterationCount = 1000 });
            alice.PasswordHash = new PasswordHasher<User>(weak).HashPassword(alice, "alice-calls-bob");
            return users.UpdateAsync(alice);
        });
        var before = await HashOfAliceAsync(app);
        await app.OpenPageAsAliceAsync();

        Assert.NotEqual(before, await HashOfAliceAsync(app));
        Assert.Equal("alice", (await page.LoadAsync()).Text("user"));
        await app.OpenPageAsAliceAsync();
    }

    private static Task<Answer> GuessAsync(Page page, int address) => page.LogInFromAsync($"203.0.113.{address}", "alice", Wrong);

    private static string Describe(Answer answer) =>
        $"{answer.Status} {answer.Code} {answer.Text("title")} {answer.Text("detail")} {string.Join(',', answer.Members)} "
        + $"{string.Join(',', answer.Headers.Keys.Order())} {answer.SetCookies.Count} {answer.Headers.GetValueOrDefault("Retry-After")}";

    private static async Task<List<FailedLoginRow>> CountersAsync(WwsfApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WwsfStore>().FailedLogins.ToListAsync(TestContext.Current.CancellationToken);
    }

    private static async Task<string?> HashOfAliceAsync(WwsfApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return (await scope.ServiceProvider.GetRequiredService<UserManager<User>>().FindByNameAsync("alice"))!.PasswordHash;
    }

    private WwsfApp NewApp() => new WwsfApp { Time = _time }.With("Wwsf:Limits:LoginsPerMinute", "1000");

    /// <summary>A clock that stands still, and on which the time of a failed log-in is over at once.</summary>
    private sealed class SteadyTime() : FakeTimeProvider(TimeProvider.System.GetUtcNow())
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime == TimeSpan.FromMilliseconds(200) ? TimeSpan.Zero : dueTime, period);
    }

    private sealed class CountingHasher : PasswordHasher<User>
    {
        public int Work { get; set; }

        public override string HashPassword(User user, string password)
        {
            Work++;
            return base.HashPassword(user, password);
        }

        public override PasswordVerificationResult VerifyHashedPassword(User user, string hashedPassword, string providedPassword)
        {
            Work++;
            return base.VerifyHashedPassword(user, hashedPassword, providedPassword);
        }
    }
}
