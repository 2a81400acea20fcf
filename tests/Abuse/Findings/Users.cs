using System.Diagnostics;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Abuse.Findings;

/// <summary>Accounts and their sessions: S6, S16, S17, S24, S28 and S30.</summary>
internal static class Users
{
    private const string Stranger = "192.0.2.1";
    private const string Elsewhere = "198.51.100.1";
    private const string Wrong = "a-wrong-password";
    private static readonly TimeSpan OtherRequest = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan EndOfRights = TimeSpan.FromSeconds(60);

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S6", RemovedUsers) { IsSlow = true },
        new("S16", NamesOfAccounts),
        new("S17", LockedByStrangers),
        new("S24", DemoUsersInProduction),
        new("S28", AuditOfLogIns),
        new("S30", WorkOfLogIns),
    ];

    /// <summary>Bob is locked and alice is deleted in the store while their sessions live.</summary>
    private static async Task<Verdict> RemovedUsers(Targets targets)
    {
        var folder = targets.NewFolder();
        await using var wwsf = await StartAsync(targets, folder);
        using var bob = await Page.UserAsync(wwsf.Address, DemoUser.Bob);
        using var alice = await Page.UserAsync(wwsf.Address, DemoUser.Alice);
        var epCscf = (await targets.OwnAsync()).EpCscf.Address;
        using var registered = await SipPage.RegisterAsync(epCscf, bob);
        await alice.TurnTokenAsync();
        var token = await bob.TurnTokenAsync();
        Store.LockForEver(folder, DemoUser.Bob);
        Store.Delete(folder, DemoUser.Alice);
        var ended = await Task.WhenAll(
            EndsAsync(bob), EndsAsync(alice), Wait.UntilAsync(() => !registered.IsOpen, EndOfRights), IsRevokedAsync(token));
        string[] rights =
        [
            "the session of a locked user", "the session of a deleted user", "the registration of the locked user",
            "a TURN token of that user",
        ];
        var left = rights.Where((_, number) => !ended[number]).ToList();
        return Verdict.If(left.Count == 0, left.Count == 0
            ? $"within {EndOfRights.TotalSeconds:0} s a locked and a deleted user lost all rights" : $"goes on: {string.Join(", ", left)}");
    }

    private static Task<bool> IsRevokedAsync(TurnToken token) => Wait.UntilAsync(
        async () =>
        {
            try
            {
                await using var client = await TurnClient.ConnectAsync(token.Udp);
                await using var allocation = await client.AllocateAsync(token.Credential);
                return false;
            }
            catch (TurnException error) when (error.Code == StunError.Unauthenticated)
            {
                return true;
            }
        },
        EndOfRights, TimeSpan.FromSeconds(3));

    // Slower than the rate of tokens: 429 would not be an end.
    private static Task<bool> EndsAsync(Page page) => Wait.UntilAsync(
        async () => (await page.PostAsync("/api/turn-token")).Code is 401 or 403
            && (await page.PostAsync("/api/ims-token")).Code is 401 or 403,
        EndOfRights, TimeSpan.FromSeconds(3));

    /// <summary>A restart must not make the answers for a name with an account differ from those for another one.</summary>
    private static async Task<Verdict> NamesOfAccounts(Targets targets)
    {
        var folder = targets.NewFolder();
        List<string> answers = ["", ""];
        for (var run = 0; run < 2; run++)
        {
            await using var wwsf = await StartAsync(targets, folder);
            foreach (var (number, name) in ((string[])[DemoUser.Bob, "ghost"]).Index())
                answers[number] += string.Join(' ', await WrongPasswordsAsync(wwsf, name, run == 0 ? 4 : 3, Stranger)) + " ";
        }

        return Verdict.If(answers[0] == answers[1], $"with an account: {answers[0]}, without: {answers[1]}");
    }

    /// <summary>Wrong passwords of a stranger, and then the right one of the user elsewhere.</summary>
    private static async Task<Verdict> LockedByStrangers(Targets targets)
    {
        const int strangers = 30;
        var password = DemoUser.PasswordOf(DemoUser.Alice);
        var wwsf = await SharedAsync(targets);
        using var known = await Page.UserAsync(wwsf.Address, DemoUser.Alice, "198.51.100.2");
        await known.SignOutAsync();
        await WrongPasswordsAsync(wwsf, DemoUser.Alice, 8, Stranger);
        using var elsewhere = new Page(wwsf.Address, Elsewhere);
        await elsewhere.BeginAsync();
        var afterOne = await elsewhere.LogInAsync(DemoUser.Alice, password);
        for (var number = 0; number < strangers; number++)
            await WrongPasswordsAsync(wwsf, DemoUser.Alice, 1, string.Create(CultureInfo.InvariantCulture, $"192.0.2.{100 + number}"));
        var afterMany = await known.LogInAsync(DemoUser.Alice, password);
        return Verdict.If(afterOne.IsOk && afterMany.IsOk,
            $"after 8 wrong passwords of a stranger the right one elsewhere is answered with {afterOne.Code}; "
            + $"after those of {strangers} more, in the user's own browser, with {afterMany.Code}");
    }

    /// <summary>A store that was used in Development has users whose passwords everybody knows.</summary>
    private static async Task<Verdict> DemoUsersInProduction(Targets targets)
    {
        var folder = targets.NewFolder();
        await (await StartAsync(targets, folder)).DisposeAsync();
        try
        {
            await using var wwsf = await Part.StartAsync("Wwsf", OwnSystem.InProduction((await targets.OwnAsync()).WwsfSettings(folder)));
            using var page = new Page(wwsf.Address);
            await page.BeginAsync();
            var answer = await page.LogInAsync(DemoUser.Alice, DemoUser.PasswordOf(DemoUser.Alice));
            return Verdict.If(!answer.IsOk, $"in Production the password of the demo user is answered with {answer.Code}");
        }
        catch (PartException error)
        {
            return Verdict.If(error.Message.Contains(DemoUser.Alice, StringComparison.Ordinal),
                $"Production does not start: {error.Message}");
        }
    }

    /// <summary>A log-in, a wrong password and a sign-out each leave a record, without the password.</summary>
    private static async Task<Verdict> AuditOfLogIns(Targets targets)
    {
        var wwsf = await SharedAsync(targets);
        List<int> records = [];
        using var page = new Page(wwsf.Address, Stranger);
        await page.BeginAsync();
        await CountAsync(() => page.LogInAsync(DemoUser.Bob, DemoUser.PasswordOf(DemoUser.Bob)));
        await CountAsync(() => page.SignOutAsync());
        await CountAsync(() => page.LogInAsync(DemoUser.Bob, Wrong));
        var hasSecret = wwsf.Output.Contains(Wrong, StringComparison.Ordinal)
            || wwsf.Output.Contains(DemoUser.PasswordOf(DemoUser.Bob), StringComparison.Ordinal);
        return Verdict.If(records.TrueForAll(count => count > 0) && !hasSecret,
            $"lines of the log for a log-in, a sign-out and a wrong password: {string.Join(", ", records)}"
            + $"{(hasSecret ? ", with a password" : "")}");

        async Task CountAsync(Func<Task> act)
        {
            var before = wwsf.Output.Length;
            await act();
            await Task.Delay(500);
            records.Add(wwsf.Output[before..].Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        }
    }

    /// <summary>Log-ins of many addresses at once: other requests must still be answered.</summary>
    private static async Task<Verdict> WorkOfLogIns(Targets targets)
    {
        const int count = 100;
        var wwsf = await SharedAsync(targets);
        var pages = Enumerable.Range(0, count)
            .Select(number => new Page(wwsf.Address, string.Create(CultureInfo.InvariantCulture, $"203.0.113.{number}"))).ToList();
        await Task.WhenAll(pages.Select(page => page.BeginAsync()));
        using var other = await Page.GuestAsync(wwsf.Address, Elsewhere);
        var logIns = pages.Select((page, number) =>
            page.LogInAsync(string.Create(CultureInfo.InvariantCulture, $"nobody{number}"), Wrong)).ToList();
        var started = Stopwatch.GetTimestamp();
        await other.BeginAsync();
        var took = Stopwatch.GetElapsedTime(started);
        var answers = await Task.WhenAll(logIns);
        pages.ForEach(page => page.Dispose());
        var refused = answers.Count(answer => answer.Code is 429 or 503);
        return Verdict.If(took < OtherRequest, string.Create(CultureInfo.InvariantCulture,
            $"of {count} log-ins at once, {refused} were refused as too many; another request took {took.TotalSeconds:0.00} s"));
    }

    private static async Task<List<int>> WrongPasswordsAsync(Part wwsf, string name, int count, string from)
    {
        using var page = new Page(wwsf.Address, from);
        await page.BeginAsync();
        List<int> codes = [];
        for (var i = 0; i < count; i++) codes.Add((await page.LogInAsync(name, Wrong)).Code);
        return codes;
    }

    /// <summary>A WWSF whose users and leases no other finding needs.</summary>
    public static async Task<Part> SharedAsync(Targets targets)
    {
        var settings = (await targets.OwnAsync()).WwsfSettings(targets.NewFolder());
        settings.Remove("ConnectionStrings__redis");
        return await targets.SharedAsync("WWSF without Redis", () => Part.StartAsync("Wwsf", settings));
    }

    private static async Task<Part> StartAsync(Targets targets, string folder) =>
        await Part.StartAsync("Wwsf", (await targets.OwnAsync()).WwsfSettings(folder));
}
