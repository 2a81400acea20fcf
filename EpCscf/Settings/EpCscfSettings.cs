using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.ServiceDefaults.KeyDelivery;

namespace WebRtcIms.EpCscf.Settings;

/// <summary>The section <c>EpCscf</c> of the configuration.</summary>
internal sealed class EpCscfSettings
{
    private const string KeyDeliverySection = "EpCscf:KeyDelivery";
    private const int MinSessionsKeyLength = 32;

    /// <summary>The domain of all identities.</summary>
    public string HomeDomain { get; set; } = "webrtcims.local";

    /// <summary>The WAF whose tokens are accepted (claims <c>iss</c> and <c>3gpp-waf</c>).</summary>
    public string Waf { get; set; } = "waf.webrtcims.local";

    /// <summary>The token endpoint that the challenge names (RFC 8898 §4).</summary>
    public string AuthorizationServer { get; set; } = "https://waf.webrtcims.local/oauth2/token";

    /// <summary>Keys of registration tokens that do not rotate.</summary>
    public List<TokenKeySettings> TokenKeys { get; set; } = [];

    /// <summary>The WAF that delivers the keys of registration tokens. Without it they are <see cref="TokenKeys"/>.</summary>
    public KeyDeliverySettings? KeyDelivery { get; set; }

    /// <summary>Base64 of 32 octets that all replicas share; random by default.</summary>
    public string? FlowTokenKey { get; set; }

    /// <summary>
    /// The keys with which the WWSF may ask about sessions and end them. There are two while a new one replaces an old one.
    /// </summary>
    public List<Redacted<string>> SessionsKeys { get; set; } = [];

    /// <summary>Origins of pages that may connect; by default only the requested host.</summary>
    public List<string> AllowedOrigins { get; set; } = [];

    /// <summary>The addresses and networks whose X-Forwarded headers are accepted, in addition to this machine: the gateway.</summary>
    public List<string> KnownProxies { get; set; } = [];

    public List<SubscriberSettings> Subscribers { get; set; } = [];

    public List<PoolSettings> Pools { get; set; } = [];

    public LimitSettings Limits { get; set; } = new();

    public KeyUse? KeyUse => KeyDelivery is null ? null : new(
        KeyDeliverySection, KeyDelivery, "ims", HomeDomain,
        "its Waf:ImsRegistration must have this EpCscf:HomeDomain as Domain, and the SHA-256 of this certificate");

    /// <summary>Our name in Via, Route and Record-Route.</summary>
    public string Host => $"epcscf.{HomeDomain}";

    /// <exception cref="SettingsException">There are problems. The message lists them all.</exception>
    public static EpCscfSettings Read(IConfiguration configuration, bool isDevelopment) => SettingsReader.Read<EpCscfSettings>(
        configuration, "EpCscf",
        settings => settings.Validate(!string.IsNullOrWhiteSpace(configuration.GetConnectionString("redis")), isDevelopment));

    private IEnumerable<string> Validate(bool isShared, bool isDevelopment)
    {
        if (Uri.CheckHostName(HomeDomain) != UriHostNameType.Dns)
            yield return $"EpCscf:HomeDomain must be a domain name, not '{HomeDomain}'";
        if (Waf.Length == 0) yield return "EpCscf:Waf is missing";
        if (!Uri.TryCreate(AuthorizationServer, UriKind.Absolute, out var server) || server.Scheme != Uri.UriSchemeHttps)
            yield return "EpCscf:AuthorizationServer must be an https URI (RFC 8898 §4)";
        if (TokenKeys.Count == 0 && KeyDelivery is null)
        {
            yield return "EpCscf:TokenKeys is empty: give at least EpCscf:TokenKeys:0:Kid and :Key, the same as the WAF has " +
                "(or EpCscf:KeyDelivery)";
        }

        foreach (var problem in KeyDelivery?.Problems(KeyDeliverySection) ?? []) yield return problem;
        for (var i = 0; i < TokenKeys.Count; i++)
        {
            if (RegistrationTokenKey.Problem(TokenKeys[i].Kid, TokenKeys[i].Key) is { } problem)
                yield return $"EpCscf:TokenKeys:{i}:{problem}";
        }

        foreach (var kid in TokenKeys.GroupBy(key => key.Kid).Where(group => group.Count() > 1))
            yield return $"EpCscf:TokenKeys has the Kid '{kid.Key}' twice";
        if (FlowTokenKey is not null && !IsKey(FlowTokenKey)) yield return "EpCscf:FlowTokenKey must be base64 of 32 octets";
        if (FlowTokenKey is null && isShared) yield return "EpCscf:FlowTokenKey is missing: with Redis, all replicas need the same one";
        if (SessionsKeys.Count == 0 && !isDevelopment)
        {
            yield return "EpCscf:SessionsKeys:0 is missing: give the key that the WWSF has as Wwsf:EpCscf:SessionsKey, " +
                "32 random octets in base64";
        }

        for (var i = 0; i < SessionsKeys.Count; i++)
        {
            if (SessionsKeys[i].Reveal() is var key && (key.Length < MinSessionsKeyLength || key.Any(c => c is <= ' ' or > '~')))
                yield return $"EpCscf:SessionsKeys:{i} must have {MinSessionsKeyLength} octets or more, in ASCII without blanks";
        }

        if (Subscribers.Count + Pools.Count == 0) yield return "EpCscf:Subscribers and EpCscf:Pools are empty: no user could register";
        for (var i = 0; i < Subscribers.Count; i++)
        {
            foreach (var problem in Subscribers[i].Problems()) yield return $"EpCscf:Subscribers:{i}:{problem}";
        }

        for (var i = 0; i < Pools.Count; i++)
        {
            foreach (var problem in Pools[i].Problems()) yield return $"EpCscf:Pools:{i}:{problem}";
        }

        foreach (var (index, origin) in AllowedOrigins.Index().Where(entry => WebOrigin.Parse(entry.Item) is null))
            yield return $"EpCscf:AllowedOrigins:{index} '{origin}' is not an origin such as https://phone.example.com";
        foreach (var problem in ServiceDefaults.Admission.KnownProxies.Problems("EpCscf:KnownProxies", KnownProxies)) yield return problem;
        foreach (var (name, value) in Limits.All().Where(limit => limit.Value < 1))
            yield return $"EpCscf:Limits:{name} must be 1 or more, not {value}";
    }

    private static bool IsKey(string text) => Convert.TryFromBase64String(text, new byte[text.Length], out var length) && length == 32;
}

/// <summary>A key of the WAF for registration tokens.</summary>
internal sealed class TokenKeySettings
{
    public string Kid { get; set; } = "";

    public string Key { get; set; } = "";
}

/// <summary>
/// A subscription with its own identities (scenario 2), and the WAFs and WWSFs that may vouch for it (TS 29.228 §6.5.2.5).
/// </summary>
internal sealed class SubscriberSettings
{
    public string Impi { get; set; } = "";

    public List<string> Impus { get; set; } = [];

    public string DisplayName { get; set; } = "";

    public List<string> AllowedWafs { get; set; } = [];

    public List<string> AllowedWwsfs { get; set; } = [];

    public IEnumerable<string> Problems()
    {
        if (Impi.Length == 0) yield return "Impi is missing";
        if (Impus.Count == 0) yield return "Impus is empty";
        foreach (var impu in Impus.Where(impu => Sip.SipUri.Parse(impu) is null))
            yield return $"Impus has '{impu}', which is not a SIP URI";
        if (AllowedWafs.Count == 0) yield return "AllowedWafs is empty";
        if (AllowedWwsfs.Count == 0) yield return "AllowedWwsfs is empty";
    }
}

/// <summary>Subscriptions that a WWSF leases (scenario 3): <c>guest-1</c> to <c>guest-50</c>.</summary>
internal sealed class PoolSettings
{
    public string Name { get; set; } = "";

    public int Size { get; set; }

    public string DisplayName { get; set; } = "";

    public List<string> AllowedWafs { get; set; } = [];

    public List<string> AllowedWwsfs { get; set; } = [];

    public IEnumerable<string> Problems()
    {
        if (Name.Length == 0 || !Name.All(char.IsAsciiLetterOrDigit)) yield return "Name must be letters and digits";
        if (Size is < 1 or > 10_000) yield return "Size must be from 1 to 10000";
        if (AllowedWafs.Count == 0) yield return "AllowedWafs is empty";
        if (AllowedWwsfs.Count == 0) yield return "AllowedWwsfs is empty";
    }
}

/// <summary>Limits of one connection, of one identity, and of the whole process.</summary>
internal sealed class LimitSettings
{
    /// <summary>All connections.</summary>
    public int Connections { get; set; } = 10_000;

    /// <summary>Connections of one client address that are not registered. Beyond it the oldest is closed.</summary>
    public int UnregisteredPerAddress { get; set; } = 100;

    /// <summary>Connections that are not registered. Beyond it the oldest of the address with most of them is closed.</summary>
    public int Unregistered { get; set; } = 2_000;

    /// <summary>Registered connections of one client address: many people share the address of a NAT.</summary>
    public int RegisteredPerAddress { get; set; } = 1_000;

    public int MessagesPerSecond { get; set; } = 50;

    public int CallsPerMinute { get; set; } = 60;

    public int DialogRequestsPerMinute { get; set; } = 600;

    public int DirectoryRequestsPerMinute { get; set; } = 120;

    /// <summary>Requests in progress. Beyond it there is 503 for new ones.</summary>
    public int Transactions { get; set; } = 20_000;

    /// <summary>Requests in progress that one subscriber has sent. A refused INVITE is in progress until its ACK.</summary>
    public int TransactionsPerSubscriber { get; set; } = 400;

    public ConnectionLimits OfConnections => new(UnregisteredPerAddress, Unregistered, RegisteredPerAddress, Connections);

    public IEnumerable<(string Name, int Value)> All() =>
        [(nameof(Connections), Connections), (nameof(UnregisteredPerAddress), UnregisteredPerAddress),
            (nameof(Unregistered), Unregistered), (nameof(RegisteredPerAddress), RegisteredPerAddress),
            (nameof(MessagesPerSecond), MessagesPerSecond), (nameof(CallsPerMinute), CallsPerMinute),
            (nameof(DialogRequestsPerMinute), DialogRequestsPerMinute),
            (nameof(DirectoryRequestsPerMinute), DirectoryRequestsPerMinute), (nameof(Transactions), Transactions),
            (nameof(TransactionsPerSubscriber), TransactionsPerSubscriber)];
}
