using System.Net;
using System.Text.RegularExpressions;
using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stores;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>The sections <c>Wwsf</c> and <c>ConnectionStrings:wwsf</c> of the configuration.</summary>
internal sealed partial class WwsfSettings
{
    /// <summary>Audience of the tokens: the name under which the WAF and the TURN server share their key.</summary>
    public required string TurnServerName { get; init; }

    /// <summary>The URIs of the TURN server that browsers get (RFC 7065).</summary>
    public required IReadOnlyList<string> TurnUris { get; init; }

    public required string WafClientId { get; init; }

    /// <summary>Null if this client signs its requests.</summary>
    public required Redacted<string>? WafClientSecret { get; init; }

    /// <summary>Null if this client has a secret.</summary>
    public required WafSigningSettings? WafSigning { get; init; }

    /// <summary>The domain of all identities in the IMS.</summary>
    public required string HomeDomain { get; init; }

    public required PoolSettings Pool { get; init; }

    /// <summary>A session ends this long after it began, used or not. A registered session goes on until its registration ends.</summary>
    public required TimeSpan SessionLifetime { get; init; }

    /// <summary>After this time a registered session ends too, and the user logs in again.</summary>
    public TimeSpan MaxSessionLifetime => 2 * SessionLifetime;

    public required LimitSettings Limits { get; init; }

    /// <summary>The provider at which users may log in; null if there is none.</summary>
    public required OpenIdConnectSettings? OpenIdConnect { get; init; }

    /// <summary>The networks whose X-Forwarded headers are accepted, in addition to this machine.</summary>
    public required IReadOnlyList<IPNetwork> KnownProxies { get; init; }

    public required StoreSettings Store { get; init; }

    /// <exception cref="SettingsException">Settings are invalid; the message lists all of them by key.</exception>
    public static WwsfSettings Read(IConfiguration configuration, IHostEnvironment environment)
    {
        var reader = new SettingsReader(configuration);
        var settings = new WwsfSettings
        {
            TurnServerName = reader.Text("Wwsf:TurnServerName", "turn.webrtcims.local"),
            TurnUris = ReadTurnUris(reader, environment),
            WafClientId = reader.Text("Wwsf:Waf:ClientId", "wwsf"),
            WafClientSecret = reader.Optional(WafSigningSettings.KeyFile) is null ? new(reader.Text("Wwsf:Waf:ClientSecret")) : null,
            WafSigning = WafSigningSettings.Read(reader),
            HomeDomain = ReadHomeDomain(reader),
            Pool = PoolSettings.Read(reader),
            SessionLifetime = reader.Duration("Wwsf:SessionLifetime", TimeSpan.FromHours(12), TimeSpan.FromMinutes(1), TimeSpan.FromDays(30)),
            Limits = LimitSettings.Read(reader),
            OpenIdConnect = OpenIdConnectSettings.Read(reader),
            KnownProxies = ReadKnownProxies(reader),
            Store = ReadStore(reader, configuration.GetConnectionString("wwsf"), environment),
        };
        CheckRedis(reader, configuration.GetConnectionString("redis"));
        reader.ThrowIfAnyProblem();
        return settings;
    }

    private static List<string> ReadTurnUris(SettingsReader reader, IHostEnvironment environment)
    {
        const string key = "Wwsf:TurnUris";
        var uris = reader.List(key);
        if (uris.Count == 0 && environment.IsDevelopment()) return ["turn:127.0.0.1:3478?transport=udp", "turn:127.0.0.1:3478?transport=tcp"];

        if (uris.Count == 0) reader.Problem($"{key}:0", "is missing; give at least one such as turn:turn.example.com:3478?transport=udp");
        foreach (var (index, uri) in uris.Index().Where(entry => !TurnUri().IsMatch(entry.Item)))
            reader.Problem($"{key}:{index}", $"'{uri}' is not a TURN URI such as turn:turn.example.com:3478?transport=udp");
        return uris;
    }

    private static string ReadHomeDomain(SettingsReader reader)
    {
        const string key = "Wwsf:HomeDomain";
        var domain = reader.Text(key, "webrtcims.local");
        if (Uri.CheckHostName(domain) != UriHostNameType.Dns) reader.Problem(key, $"'{domain}' is not a domain name such as ims.example.com");
        return domain;
    }

    private static void CheckRedis(SettingsReader reader, string? connectionString)
    {
        try
        {
            if (!string.IsNullOrWhiteSpace(connectionString)) ConfigurationOptions.Parse(connectionString);
        }
        catch (ArgumentException)
        {
            reader.Problem("ConnectionStrings:redis", "is not a Redis address such as 127.0.0.1:6379");
        }
    }

    private static List<IPNetwork> ReadKnownProxies(SettingsReader reader)
    {
        List<IPNetwork> networks = [];
        foreach (var text in reader.List("Wwsf:KnownProxies"))
        {
            if (IPNetwork.TryParse(text, out var network)) networks.Add(network);
            else if (IPAddress.TryParse(text, out var address)) networks.Add(new IPNetwork(address, 8 * address.GetAddressBytes().Length));
            else reader.Problem("Wwsf:KnownProxies", $"'{text}' is neither an address nor a range such as 10.1.0.0/16");
        }
        return networks;
    }

    private static StoreSettings ReadStore(SettingsReader reader, string? connectionString, IHostEnvironment environment)
    {
        if (StoreSettings.Read("wwsf", connectionString, environment.ContentRootPath) is { } store) return store;
        reader.Problem("ConnectionStrings:wwsf", StoreSettings.Problem("wwsf"));
        return StoreSettings.Read("wwsf", null, environment.ContentRootPath)!;
    }

    [GeneratedRegex(@"^turns?:[^\s/@?]+(\?transport=(udp|tcp))?$")]
    private static partial Regex TurnUri();
}
