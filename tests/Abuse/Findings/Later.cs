using System.Diagnostics;
using System.Security.Cryptography;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Abuse.Findings;

/// <summary>
/// Attacks that were tried after the review. They run only when they are named, because F1, F2 and F4 are not answered yet. F1 uses up the
/// tokens of a minute, so each runs by itself.
/// </summary>
internal static class Later
{
    private const string Elsewhere = "198.51.100.77";

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("F1", TokensOfAllUsers),
        new("F2", TraceOfASipRequest),
        new("F3", AllocationsOfAGuest),
        new("F4", AllocationsInARow),
        new("F5", ParallelGuesses),
        new("F6", NetworksOfASite),
        new("F7", LogOfRefusals),
        new("F8", BaggageOfAStranger),
    ];

    /// <summary>One address asks for as many TURN tokens as the WAF gives the WWSF in a minute. Another address needs one.</summary>
    private static async Task<Verdict> TokensOfAllUsers(Targets targets)
    {
        var own = await targets.OwnAsync();
        var guests = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => Page.GuestAsync(own.Wwsf.Address, "192.0.2.77")));
        var got = 0;
        foreach (var guest in guests)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => guest.PostAsync("/api/turn-token")));
            got += answers.Count(answer => answer.IsOk);
        }

        Array.ForEach(guests, guest => guest.Dispose());
        using var other = await Page.GuestAsync(own.Wwsf.Address, Elsewhere);
        var code = (await other.PostAsync("/api/turn-token")).Code;
        return Verdict.If(code == 200, $"one address got {got} TURN tokens; then another one is answered with {code}");
    }

    /// <summary>The gateway does not see the trace that a SIP request names.</summary>
    private static async Task<Verdict> TraceOfASipRequest(Targets targets)
    {
        using var session = await Page.GuestAsync(targets.Gateway);
        using var page = await SipPage.RegisterAsync(targets.Gateway, session);
        var trace = RandomNumberGenerator.GetHexString(32, lowercase: true);
        await page.AskAsync(page.Request(
            "INVITE", "sip:alice@webrtcims.local", "sip:alice@webrtcims.local",
            $"Contact: <{page.Contact}>\r\nTraceparent: 00-{trace}-0123456789abcdef-01\r\n"));
        var isKept = await Wait.UntilAsync(
            async () => (await session.GetAsync($"/flow/api/traces/{trace}")).IsOk, TimeSpan.FromSeconds(4));
        await session.SignOutAsync();
        return Verdict.If(!isKept, $"a SIP request {(isKept ? "wrote" : "did not write")} into the trace that it named");
    }

    /// <summary>The limit of one allocation times the number of allocations.</summary>
    private static async Task<Verdict> AllocationsOfAGuest(Targets targets)
    {
        const int count = 8;
        const int most = 6_000;
        using var session = await Page.GuestAsync(targets.Gateway);
        using var other = await Page.GuestAsync(targets.Gateway);
        var (sending, receiving) = (await session.TurnTokenAsync(), await other.TurnTokenAsync());
        await using var sinkClient = await TurnClient.ConnectAsync(receiving.Udp, new TurnClientOptions { ReceiveQueueLength = 100_000 });
        await using var sink = await sinkClient.AllocateAsync(receiving.Credential);
        var clients = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => TurnClient.ConnectAsync(sending.Udp)));
        var allocations = await Task.WhenAll(clients.Select(client => client.AllocateAsync(sending.Credential)));
        await sink.CreatePermissionAsync(allocations[0].RelayedAddress.Address);
        foreach (var allocation in allocations) await allocation.BindChannelAsync(sink.RelayedAddress);
        var packet = new byte[1200];
        var sent = 0;
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(3); await Task.Delay(5))
        {
            foreach (var allocation in allocations)
                for (var i = 0; i < 10; i++, sent++) await allocation.SendAsync(packet, sink.RelayedAddress);
        }

        await Task.Delay(300);
        var arrived = sink.Received.Count;
        foreach (var allocation in allocations) await allocation.DisposeAsync();
        foreach (var client in clients) await client.DisposeAsync();
        await session.SignOutAsync();
        await other.SignOutAsync();
        return Verdict.If(arrived is > 0 and < most, $"{arrived} of {sent} datagrams of {count} allocations of a guest arrived in 3 s");
    }

    /// <summary>A guest allocates and deletes as fast as possible. Each Allocate leaves a key in Redis until its token expires.</summary>
    private static async Task<Verdict> AllocationsInARow(Targets targets)
    {
        const int most = 500;
        var own = await targets.OwnAsync();
        using var session = await Page.GuestAsync(own.Wwsf.Address, "192.0.2.66");
        var token = await session.TurnTokenAsync();
        var before = await own.RedisKeysAsync();
        var made = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5);)
            {
                try
                {
                    await using var client = await TurnClient.ConnectAsync(token.Udp);
                    await using var allocation = await client.AllocateAsync(token.Credential);
                    Interlocked.Increment(ref made);
                }
                catch (TurnException)
                {
                    await Task.Delay(50);
                }
            }
        }));
        var after = await own.RedisKeysAsync();
        return Verdict.If(made < most,
            $"{made} allocations of a guest one after the other in 5 s; Redis went from {before} to {after} keys");
    }

    /// <summary>A failure must be counted before its hash is computed.</summary>
    private static async Task<Verdict> ParallelGuesses(Targets targets)
    {
        const int count = 40;
        var wwsf = await Users.SharedAsync(targets);
        var pages = Enumerable.Range(0, count).Select(_ => new Page(wwsf.Address, "192.0.2.55")).ToList();
        await Task.WhenAll(pages.Select(page => page.BeginAsync()));
        var answers = await Task.WhenAll(pages.Select(page => page.LogInAsync(DemoUser.Bob, "a-wrong-password")));
        pages.ForEach(page => page.Dispose());
        var checkedOnes = answers.Count(answer => answer.Code == 401);
        return Verdict.If(checkedOnes <= 8, $"of {count} wrong passwords at once, {checkedOnes} were checked");
    }

    /// <summary>A site has a /48, which is 65,536 of the networks that count as one address.</summary>
    private static async Task<Verdict> NetworksOfASite(Targets targets)
    {
        var own = await targets.OwnAsync();
        var settings = own.WwsfSettings(targets.NewFolder());
        settings.Remove("ConnectionStrings__redis");
        await using var wwsf = await Part.StartAsync("Wwsf", settings);
        var leased = 0;
        for (var network = 0; network < 60; network++)
        {
            using var guest = await Page.GuestAsync(wwsf.Address, string.Create(CultureInfo.InvariantCulture, $"2001:db8:1:{network}::1"));
            if ((await guest.PostAsync("/api/ims-token")).IsOk) leased++;
        }

        using var other = await Page.GuestAsync(wwsf.Address, Elsewhere);
        var code = (await other.PostAsync("/api/ims-token")).Code;
        return Verdict.If(code == 200, $"one /48 got {leased} of 50 identities; then another address is answered with {code}");
    }

    /// <summary>A stranger must not fill the disk with records of refusals.</summary>
    private static async Task<Verdict> LogOfRefusals(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var http = new HttpClient();
        var before = Lines();
        for (var i = 0; i < 1000; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, own.Wwsf.Address);
            request.Headers.Host = string.Create(CultureInfo.InvariantCulture, $"evil{i}.example");
            using var answer = await http.SendAsync(request);
        }

        await Task.Delay(500);
        var lines = Lines() - before;
        return Verdict.If(lines < 200, $"1000 requests for other hosts wrote {lines} lines into the log");

        int Lines() => own.Wwsf.Output.Count(character => character == '\n');
    }

    private static async Task<Verdict> BaggageOfAStranger(Targets targets)
    {
        using var guest = await Page.GuestAsync(targets.Gateway);
        var mark = SipPage.Id();
        await guest.PostAsync("/api/turn-token", null, ("baggage", $"enduser.pseudo.id={mark}"), ("tracestate", $"a={mark}"));
        await Task.Delay(3000);
        var found = 0;
        foreach (var trace in (await guest.GetAsync("/flow/api/traces?other=true")).Json.GetProperty("traces").EnumerateArray().Take(20))
        {
            var spans = await guest.GetAsync($"/flow/api/traces/{trace.GetProperty("id").GetString()}");
            if (spans.Body.Contains(mark, StringComparison.Ordinal)) found++;
        }

        await guest.SignOutAsync();
        return Verdict.If(found == 0, $"baggage and tracestate of a stranger are in {found} traces");
    }
}
