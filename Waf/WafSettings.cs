using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stores;
using WebRtcIms.Waf.Administration;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;
using WebRtcIms.Waf.ImsRegistration;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf;

/// <summary>The section <c>Waf</c> of the configuration, and <c>ConnectionStrings:waf</c>.</summary>
internal sealed class WafSettings
{
    public List<TurnServerSettings> TurnServers { get; set; } = [];

    public List<ClientSettings> Clients { get; set; } = [];

    /// <summary>Tokens with which clients register themselves.</summary>
    public List<InitialAccessTokenSettings> InitialAccessTokens { get; set; } = [];

    public RegistrationSettings? ImsRegistration { get; set; }

    /// <summary>
    /// The name of this server in its metadata (RFC 8414 §3.3), and the audience of client assertions. Only in Development it may be
    /// missing, and then it is the address in each request. The sender of a request chooses that address, and could send an assertion for
    /// another server.
    /// </summary>
    public string? Issuer { get; set; }

    /// <summary>
    /// The https address at which TLS ends in this process, such as <c>https://waf.example.org:8444/</c>. Clients may then authenticate
    /// with certificates (RFC 8705).
    /// </summary>
    public string? MutualTlsAddress { get; set; }

    /// <summary>
    /// Whether GET /oauth2/token is served with client_id and client_password (TS 33.203 X.5.3.2 step 4). By default only in Development: a
    /// secret in an address reaches the logs of proxies (RFC 6749 §2.3.1).
    /// </summary>
    public bool? AllowGetTokenRequests { get; set; }

    /// <summary>Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are accepted, beside this machine.</summary>
    public List<string> KnownProxies { get; set; } = [];

    /// <summary>
    /// Requests that one address may send in a minute. A WWSF sends one for each call, so this is the busiest minute of one WWSF host.
    /// </summary>
    public int TokenRequestsPerMinute { get; set; } = 1200;

    /// <summary>
    /// What an allocation may relay under a token of a user without a log-in, for whom the client sends <c>guest=true</c>. 3 Mbit/s is a
    /// video call of 720 lines.
    /// </summary>
    public TrafficSettings GuestTraffic { get; set; } = new() { PacketsPerSecond = 500, BytesPerSecond = 375_000 };

    /// <summary>The same for all other tokens. By default the limits of the TURN server apply.</summary>
    public TrafficSettings UserTraffic { get; set; } = new();

    /// <summary>How long rows of the audit are kept; zero keeps them for ever.</summary>
    public TimeSpan AuditRetention { get; set; } = TimeSpan.FromDays(90);

    public AdminSettings Admin { get; set; } = new();

    /// <summary>
    /// The folder of the Data Protection keys that encrypt long-term keys in the store. All replicas need the same one. The default is
    /// <c>keys</c> beside the store.
    /// </summary>
    public string? KeyDirectory { get; set; }

    /// <summary>The store of clients.</summary>
    public StoreSettings Store { get; private set; } = null!;

    /// <exception cref="SettingsException">There are problems. The message lists them all, and has no secret.</exception>
    public static WafSettings Read(IConfiguration configuration, IHostEnvironment environment)
    {
        var store = StoreSettings.Read("waf", configuration.GetConnectionString("waf"), environment.ContentRootPath);
        var settings = SettingsReader.Read<WafSettings>(configuration, "Waf", settings =>
        [
            .. settings.Problems(),
            .. settings.IssuerProblems(TransportEncryption.IsElsewhere(configuration, environment), environment),
            .. store is null ? [$"ConnectionStrings:waf {StoreSettings.Problem("waf")}"] : Array.Empty<string>(),
            .. settings.Admin.Problems(configuration, TransportEncryption.IsElsewhere(configuration, environment)),
            .. RedisAddress.Problem(configuration) is { } redis ? [redis] : Array.Empty<string>(),
        ]);
        settings.Store = store!;
        settings.AllowGetTokenRequests ??= environment.IsDevelopment();
        settings.KeyDirectory = string.IsNullOrEmpty(settings.KeyDirectory)
            ? null
            : Path.GetFullPath(settings.KeyDirectory, environment.ContentRootPath);
        return settings;
    }

    private IEnumerable<string> Problems()
    {
        if (TurnServers.Count == 0) yield return "Waf:TurnServers is empty: give at least Waf:TurnServers:0:Name";
        for (var i = 0; i < TurnServers.Count; i++)
        {
            foreach (var problem in TurnServers[i].Problems()) yield return $"Waf:TurnServers:{i}:{problem}";
        }

        var names = TurnServers.Select(server => server.Name).ToList();
        foreach (var name in Duplicates(names)) yield return $"Waf:TurnServers has the Name '{name}' twice";
        foreach (var problem in KidProblems()) yield return problem;
        if (Clients.Count == 0 && InitialAccessTokens.Count == 0)
        {
            yield return "Waf:Clients is empty: give at least Waf:Clients:0:ClientId, :ClientSecret and :Audiences:0, "
                + "or Waf:InitialAccessTokens:0:Name, :Token and :Audiences:0";
        }

        for (var i = 0; i < Clients.Count; i++)
        {
            foreach (var problem in Clients[i].Problems(names)) yield return $"Waf:Clients:{i}:{problem}";
        }

        for (var i = 0; i < InitialAccessTokens.Count; i++)
        {
            foreach (var problem in InitialAccessTokens[i].Problems(names)) yield return $"Waf:InitialAccessTokens:{i}:{problem}";
        }

        foreach (var name in Duplicates(InitialAccessTokens.Select(token => token.Name)))
            yield return $"Waf:InitialAccessTokens has the Name '{name}' twice";
        foreach (var problem in ImsRegistration?.Problems(TurnServers) ?? []) yield return $"Waf:ImsRegistration:{problem}";
        foreach (var id in Duplicates(Clients.Select(client => client.ClientId))) yield return $"Waf:Clients has the ClientId '{id}' twice";
        foreach (var problem in GuestTraffic.Problems()) yield return $"Waf:GuestTraffic:{problem}";
        foreach (var problem in UserTraffic.Problems()) yield return $"Waf:UserTraffic:{problem}";
        foreach (var problem in ServiceDefaults.Admission.KnownProxies.Problems("Waf:KnownProxies", KnownProxies)) yield return problem;
        if (AuditRetention < TimeSpan.Zero) yield return "Waf:AuditRetention must be a time such as 90.00:00:00, or 0 to keep all rows";
        if (MutualTlsAddress is not null && (!IsIssuer(MutualTlsAddress) || new Uri(MutualTlsAddress).Scheme != Uri.UriSchemeHttps))
            yield return "Waf:MutualTlsAddress must be an address such as https://waf.example.org:8444/";
        if (MutualTlsAddress is null && Clients.Exists(client => client.CertificateSha256 is not null))
            yield return "Waf:MutualTlsAddress is missing: clients with CertificateSha256 connect to it";
        if (KeyDirectory?.Contains('\0', StringComparison.Ordinal) is true) yield return "Waf:KeyDirectory must be the path of a folder";
        if (TokenRequestsPerMinute < 1) yield return "Waf:TokenRequestsPerMinute must be a number from 1";
    }

    private IEnumerable<string> IssuerProblems(bool isEncryptedElsewhere, IHostEnvironment environment)
    {
        if (Issuer is not null && !IsIssuer(Issuer)) yield return "Waf:Issuer must be an address such as https://waf.example.org/";
        else if (Issuer is not null && !isEncryptedElsewhere && TransportEncryption.IsPlain(Issuer))
            yield return "Waf:Issuer must be an https address, such as https://waf.example.org/";
        if (Issuer is not null) yield break;
        if (Clients.Exists(client => client.Jwks is not null)) yield return "Waf:Issuer is missing: clients with Jwks sign for it";
        else if (MutualTlsAddress is not null)
            yield return "Waf:Issuer is missing: it must not depend on the address to which a client with a certificate connects";
        else if (!environment.IsDevelopment())
            yield return "Waf:Issuer is missing: give the address at which clients reach this server, such as https://waf.example.org/";
    }

    private IEnumerable<string> KidProblems()
    {
        List<(string Name, string Kid, bool HasRing)> keys =
            [.. TurnServers.Select(server => (server.Name, server.KidOrPrefix, server.HasRing))];
        if (ImsRegistration is { } ims) keys.Add(("Waf:ImsRegistration", ims.KidOrPrefix, ims.HasRing));
        for (var i = 0; i < keys.Count; i++)
        {
            if (!keys[i].HasRing) continue;
            var other = keys.Where((key, j) => i != j && RingSettings.MayHaveKidOf(keys[i].Kid, key.Kid, key.HasRing)).FirstOrDefault();
            if (other.Name is { } name)
                yield return $"Waf:TurnServers: a Kid of '{name}' could be that of a key of the ring of '{keys[i].Name}'";
        }
    }

    private static IEnumerable<string> Duplicates(IEnumerable<string> names) =>
        names.Where(name => name.Length > 0).GroupBy(name => name).Where(group => group.Count() > 1).Select(group => group.Key);

    private static bool IsIssuer(string text) =>
        HttpAddress.Parse(text) is { Query: "", Fragment: "" };
}
