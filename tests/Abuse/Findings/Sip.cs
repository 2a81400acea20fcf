using System.Text.RegularExpressions;

namespace WebRtcIms.Abuse.Findings;

/// <summary>The eP-CSCF: S8, S14 and S25.</summary>
internal static partial class Sip
{
    private static readonly string[] Spoofs =
    [
        "Remote-Party-ID: \"Bob\" <sip:bob@webrtcims.local>;party=calling", "Identity: forged;info=<https://evil.example/>",
        "History-Info: <sip:bob@webrtcims.local>;index=1", "Diversion: <sip:bob@webrtcims.local>;reason=unconditional",
    ];

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S8", RequestsInADialogue),
        new("S14", SessionsOfTheEpCscf),
        new("S25", DirectoryLookUps),
    ];

    /// <summary>A guest whom alice declined goes on in the "dialogue", as bob.</summary>
    private static async Task<Verdict> RequestsInADialogue(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var aliceSession = await Page.UserAsync(own.Wwsf.Address, DemoUser.Alice);
        using var guestSession = await Page.GuestAsync(own.Wwsf.Address);
        using var alice = await SipPage.RegisterAsync(own.EpCscf.Address, aliceSession);
        using var guest = await SipPage.RegisterAsync(own.EpCscf.Address, guestSession);

        var callId = SipPage.Id();
        await guest.SendAsync(guest.Request("INVITE", alice.Impu, alice.Impu,
            $"Contact: <{guest.Contact}>\r\n{string.Concat(Spoofs.Select(spoof => spoof + "\r\n"))}", callId: callId));
        var invite = await alice.NextAsync(message => message.StartLine.StartsWith("INVITE ", StringComparison.Ordinal))
            ?? throw new InvalidDataException("no INVITE came");
        var passed = Spoofs.Select(spoof => spoof.Split(':')[0]).Where(name => invite.All(name).Length > 0).ToList();
        await alice.AnswerAsync(invite, 180, "Ringing");
        var ringing = await guest.NextAsync(message => message.Code == 180) ?? throw new InvalidDataException("no 180 came");
        await alice.AnswerAsync(invite, 603, "Decline");
        await guest.NextAsync(message => message.Code == 603);

        var route = string.Concat(ringing.All("Record-Route").Select(value => $"Route: {value}\r\n"));
        var asBob = await ArrivesAsync("\"Bob\" <sip:bob@webrtcims.local>", callId);
        var otherCall = await ArrivesAsync(null, SipPage.Id());
        await guestSession.SignOutAsync();
        await aliceSession.SignOutAsync();
        return Verdict.All(
            Verdict.If(!asBob, $"a MESSAGE from bob in the dialogue of a guest {Text(asBob)}"),
            Verdict.If(!otherCall, $"a MESSAGE with another Call-ID {Text(otherCall)}"),
            Verdict.If(passed.Count == 0, passed.Count == 0
                ? "no header of another's identity passed" : $"{string.Join(", ", passed)} passed"));

        async Task<bool> ArrivesAsync(string? from, string call)
        {
            await guest.SendAsync(guest.Request("MESSAGE", "sip:x@x.invalid", alice.Impu, route, from, call, ";tag=at"));
            var message = await alice.NextAsync(
                message => message.StartLine.StartsWith("MESSAGE ", StringComparison.Ordinal), TimeSpan.FromSeconds(1));
            return message is not null;
        }

        static string Text(bool arrived) => arrived ? "reached alice" : "was refused";
    }

    /// <summary>Sessions are for the WWSF only, and their pseudonyms are not in traces.</summary>
    private static async Task<Verdict> SessionsOfTheEpCscf(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var stranger = new Page(own.EpCscf.Address);
        var session = new { sid = "some-session" };
        Answer[] answers =
        [
            await stranger.GetAsync("/sessions/some-session"), await stranger.SendAsync(HttpMethod.Delete, "/sessions/some-session"),
            await stranger.PostAsync("/sessions/find", session), await stranger.PostAsync("/sessions/end", session),
            await stranger.PostAsync("/sessions/end", session, ("Authorization", "Bearer some-key-of-a-stranger-0123456789")),
        ];
        return Verdict.All(
            Verdict.If(!answers.Any(answer => answer.IsOk),
                $"requests for /sessions without the key are answered with {string.Join(", ", answers.Select(answer => answer.Code))}"),
            await PseudonymsInTraces(targets));
    }

    private static async Task<Verdict> PseudonymsInTraces(Targets targets)
    {
        using var guest = await Page.GuestAsync(targets.Gateway);
        using (await SipPage.RegisterAsync(targets.Gateway, guest)) await guest.SignOutAsync();
        await Task.Delay(2000);
        var list = await guest.GetAsync("/flow/api/traces?other=true");
        if (!list.IsOk) return Verdict.If(true, $"the traces are closed ({list.Code})");
        var found = 0;
        foreach (var trace in list.Json.GetProperty("traces").EnumerateArray())
        {
            var spans = await guest.GetAsync($"/flow/api/traces/{trace.GetProperty("id").GetString()}");
            if (SessionPath().IsMatch(spans.Body)) found++;
        }

        return Verdict.If(found == 0, $"of the latest traces, {found} have the pseudonym of a session in an address");
    }

    /// <summary>A registered page asks who is online, as fast as it can.</summary>
    private static async Task<Verdict> DirectoryLookUps(Targets targets)
    {
        const int count = 500;
        using var guest = await Page.GuestAsync(targets.Gateway);
        var token = (await guest.PostAsync("/api/ims-token")).Json;
        using var page = await SipPage.ConnectAsync(targets.Gateway, token.GetProperty("impu").GetString()!.Split(':', '@')[1]);
        var bearer = token.GetProperty("access_token").GetString()!;
        await page.RegisterAsync(bearer);
        var answered = 0;
        for (var i = 0; i < count; i += 50)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ =>
                guest.GetAsync("/api/directory", ("Authorization", $"Bearer {bearer}"))));
            answered += answers.Count(answer => answer.IsOk);
        }

        await guest.SignOutAsync();
        return Verdict.If(answered is > 0 and < count, $"{answered} of {count} look-ups in the directory were answered");
    }

    [GeneratedRegex("/sessions/[A-Za-z0-9_-]{16,}")]
    private static partial Regex SessionPath();
}
