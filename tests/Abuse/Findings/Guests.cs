using System.Net.Http.Json;
using System.Text.Json;

namespace WebRtcIms.Abuse.Findings;

/// <summary>Passkeys and the identities of guests: S9, S10 and S11, and the cookies of S18.</summary>
internal static class Guests
{
    private const string OtherHost = "evil.example";

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S9", ReplayedPasskey),
        new("S10", RelyingPartyOfTheRequest),
        new("S11", IdentitiesOfAFewAddresses),
    ];

    /// <summary>The same answer to the same challenge, with the same cookies, after signing out.</summary>
    private static async Task<Verdict> ReplayedPasskey(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var authenticator = await AddPasskeyAsync(own);
        using var page = new Page(own.Wwsf.Address);
        await page.BeginAsync();
        var options = (await page.PostAsync("/api/session/passkey/options")).Json;
        var credential = authenticator.Get(options, "localhost", Origin(own));
        var cookies = page.Cookies.GetCookieHeader(new Uri(own.Wwsf.Address, "/api/session/passkey"));
        var token = page.AntiforgeryToken;
        var first = await page.PostAsync("/api/session/passkey", credential, ("Origin", Origin(own)));
        await page.SignOutAsync();
        var second = await ReplayAsync(own, credential, cookies, token!);
        return Verdict.If(first.IsOk && !second.IsOk,
            $"the answer of a passkey is answered with {first.Code}, the same one again with {second.Code}");
    }

    /// <summary>A signature for another relying party, in a request that names its host.</summary>
    private static async Task<Verdict> RelyingPartyOfTheRequest(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var authenticator = await AddPasskeyAsync(own);
        List<int> codes = [];
        foreach (var host in (string[])["Host", "X-Forwarded-Host"])
        {
            using var page = new Page(own.Wwsf.Address);
            await page.BeginAsync();
            var options = await page.PostAsync("/api/session/passkey/options", null, (host, OtherHost));
            if (!options.IsOk)
            {
                codes.Add(options.Code);
                continue;
            }

            var credential = authenticator.Get(options.Json, OtherHost, $"http://{OtherHost}");
            codes.Add((await page.PostAsync(
                "/api/session/passkey", credential, (host, OtherHost), ("Origin", $"http://{OtherHost}"))).Code);
        }

        return Verdict.If(codes.TrueForAll(code => code >= 400),
            $"a passkey for {OtherHost} is answered with {string.Join(" and ", codes)}");
    }

    /// <summary>Guests of two addresses, and then one of a third.</summary>
    private static async Task<Verdict> IdentitiesOfAFewAddresses(Targets targets)
    {
        var wwsf = await Users.SharedAsync(targets);
        var first = await LeaseAsync("192.0.2.1", 30);
        var second = await LeaseAsync("192.0.2.2", 30);
        var third = await LeaseAsync("192.0.2.3", 1);
        return Verdict.If(third == 1, $"of 50 identities two addresses got {first} and {second}, a third {third} of 1");

        async Task<int> LeaseAsync(string address, int count)
        {
            var leased = 0;
            for (var i = 0; i < count; i++)
            {
                using var guest = await Page.GuestAsync(wwsf.Address, address);
                if ((await guest.PostAsync("/api/ims-token")).IsOk) leased++;
            }

            return leased;
        }
    }

    private static async Task<Authenticator> AddPasskeyAsync(OwnSystem own)
    {
        var authenticator = new Authenticator();
        using var alice = await Page.UserAsync(own.Wwsf.Address, DemoUser.Alice);
        var options = (await alice.PostAsync("/api/passkeys/options")).Json;
        var added = await alice.PostAsync("/api/passkeys",
            authenticator.Create(options, "localhost", Origin(own)), ("Origin", Origin(own)));
        return added.IsOk ? authenticator : throw new InvalidDataException($"the passkey was not added: {added.Code} {added.Start}");
    }

    private static async Task<Answer> ReplayAsync(OwnSystem own, object credential, string cookies, string token)
    {
        using var handler = new SocketsHttpHandler { UseCookies = false };
        using var http = new HttpClient(handler);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(own.Wwsf.Address, "/api/session/passkey"))
        {
            Content = JsonContent.Create(credential, options: JsonSerializerOptions.Default),
        };
        request.Headers.Add("Cookie", cookies);
        request.Headers.Add("X-XSRF-TOKEN", token);
        request.Headers.Add("Origin", Origin(own));
        return await Answer.ReadAsync(await http.SendAsync(request));
    }

    private static string Origin(OwnSystem own) => own.Wwsf.Address.GetLeftPart(UriPartial.Authority);
}
