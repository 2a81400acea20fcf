using System.Globalization;
using System.Security.Cryptography;

namespace WebRtcIms.Soak.Running;

/// <summary>Where each part and each store is.</summary>
/// <param name="Redis">As in a connection string.</param>
/// <param name="Waf">The connection string of the WAF's store.</param>
/// <param name="Wwsf">The connection string of the WWSF's store.</param>
/// <param name="Folder">For what the parts keep.</param>
/// <param name="Ports">The HTTP port of each part.</param>
/// <param name="TurnPort">For clients of TURN.</param>
internal sealed record Places(
    string Redis, string Waf, string Wwsf, string Folder, IReadOnlyDictionary<string, int> Ports, int TurnPort);

/// <summary>
/// The environment of each part. Limits of one user and of one client address are the defaults. What one machine has for all its users is
/// larger: identities for guests, and what one WWSF and one address of TURN clients may ask for in a minute.
/// </summary>
internal static class PartSettings
{
    private const string TurnName = "turn.webrtcims.local";
    private const string WafIdentity = "waf.webrtcims.local";
    private const string GuestPool = "2000";
    private const string ManyPerMinute = "1000000";

    // Redis and the caches of TURN keep entries as long as a token lives, and revocations a minute longer. So the warm-up covers both.
    private const string TurnTokenLifetime = "00:01:00";
    private const string ImsTokenLifetime = "00:02:00";

    public static Dictionary<string, Dictionary<string, string>> Of(Places places)
    {
        string Address(string part) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{places.Ports[part]}");
        var (turnKey, imsKey, sessionsKey, initial) = (Key(), Key(), Key(), Key());
        return new()
        {
            ["flow-view"] = Common(new()
            {
                // They are full before the warm-up ends.
                ["FlowView__Spans"] = "5000",
                ["FlowView__Logs"] = "1000",
            }),
            ["waf"] = Exporting(new()
            {
                ["ConnectionStrings__waf"] = places.Waf,
                ["Waf__KeyDirectory"] = Path.Combine(places.Folder, "waf-keys"),
                ["Waf__Issuer"] = Address("waf") + "/",
                ["Waf__TokenRequestsPerMinute"] = ManyPerMinute,
                ["Waf__TurnServers__0__Name"] = TurnName,
                ["Waf__TurnServers__0__Kid"] = "k1",
                ["Waf__TurnServers__0__Key"] = turnKey,
                ["Waf__TurnServers__0__TokenLifetime"] = TurnTokenLifetime,
                ["Waf__ImsRegistration__Domain"] = "webrtcims.local",
                ["Waf__ImsRegistration__Identity"] = WafIdentity,
                ["Waf__ImsRegistration__TokenLifetime"] = ImsTokenLifetime,
                ["Waf__ImsRegistration__Kid"] = "r1",
                ["Waf__ImsRegistration__Key"] = imsKey,
                ["Waf__InitialAccessTokens__0__Name"] = "wwsf",
                ["Waf__InitialAccessTokens__0__Wwsf"] = "wwsf",
                ["Waf__InitialAccessTokens__0__Token"] = initial,
                ["Waf__InitialAccessTokens__0__Audiences__0"] = TurnName,
                ["Waf__InitialAccessTokens__0__Impus__0"] = "sip:guest-*@webrtcims.local",
                ["Waf__InitialAccessTokens__0__Impus__1"] = "sip:alice@webrtcims.local",
                ["Waf__InitialAccessTokens__0__Impus__2"] = "sip:bob@webrtcims.local",
            }),
            ["turn"] = Exporting(new()
            {
                ["Turn__Port"] = Text(places.TurnPort),
                ["Turn__PeerPolicy"] = "AllowLoopback",
                ["Turn__ServerName"] = TurnName,
                ["Turn__Keys__0__Kid"] = "k1",
                ["Turn__Keys__0__Key"] = turnKey,
                // All TURN clients of this machine have one address.
                ["Turn__ChallengesPerSecond"] = "0",
                ["Turn__Quotas__PerClientAddress"] = "16000",
                ["Turn__Quotas__AllocatesPerMinuteOfClientAddress"] = ManyPerMinute,
            }),
            ["ep-cscf"] = Exporting(new()
            {
                ["EpCscf__HomeDomain"] = "webrtcims.local",
                ["EpCscf__Waf"] = WafIdentity,
                ["EpCscf__TokenKeys__0__Kid"] = "r1",
                ["EpCscf__TokenKeys__0__Key"] = imsKey,
                ["EpCscf__FlowTokenKey"] = Key(),
                ["EpCscf__SessionsKeys__0"] = sessionsKey,
                ["EpCscf__KnownProxies__0"] = "127.0.0.1",
                ["EpCscf__Pools__0__Name"] = "guest",
                ["EpCscf__Pools__0__Size"] = GuestPool,
                ["EpCscf__Pools__0__DisplayName"] = "Guest",
                ["EpCscf__Pools__0__AllowedWafs__0"] = WafIdentity,
                ["EpCscf__Pools__0__AllowedWwsfs__0"] = "wwsf",
            }),
            ["wwsf"] = Exporting(new()
            {
                ["ConnectionStrings__wwsf"] = places.Wwsf,
                ["Wwsf__KeyDirectory"] = Path.Combine(places.Folder, "wwsf-keys"),
                ["services__waf__http__0"] = Address("waf"),
                ["services__ep-cscf__http__0"] = Address("ep-cscf"),
                ["Wwsf__HomeDomain"] = "webrtcims.local",
                ["Wwsf__PublicOrigin__0"] = Address("wic-web"),
                ["Wwsf__KnownProxies__0"] = "127.0.0.1",
                ["Wwsf__TurnServerName"] = TurnName,
                ["Wwsf__TurnUris__0"] = $"turn:127.0.0.1:{Text(places.TurnPort)}?transport=udp",
                ["Wwsf__Waf__InitialAccessToken"] = initial,
                ["Wwsf__EpCscf__SessionsKey"] = sessionsKey,
                ["Wwsf__Pool__Size"] = GuestPool,
                ["Wwsf__Limits__GuestTokensPerMinute"] = ManyPerMinute,
            }),
            ["wic-web"] = Exporting(new()
            {
                ["services__wwsf__http__0"] = Address("wwsf"),
                ["services__ep-cscf__http__0"] = Address("ep-cscf"),
                ["services__flow-view__http__0"] = Address("flow-view"),
            }),
        };

        Dictionary<string, string> Exporting(Dictionary<string, string> own)
        {
            own["FlowView__Endpoint"] = Address("flow-view");
            own["ConnectionStrings__redis"] = places.Redis;
            return Common(own);
        }
    }

    private static Dictionary<string, string> Common(Dictionary<string, string> own)
    {
        // With the two users of a demo.
        own["ASPNETCORE_ENVIRONMENT"] = "Development";
        own["AllowedHosts"] = "127.0.0.1;localhost";
        own["Logging__LogLevel__Default"] = "Warning";
        return own;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Key() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
