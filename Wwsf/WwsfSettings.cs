using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stores;

namespace WebRtcIms.Wwsf;

/// <summary>The sections <c>Wwsf</c> and <c>ConnectionStrings:wwsf</c> of the configuration.</summary>
internal sealed partial class WwsfSettings
{
    /// <summary>Audience of the tokens: the name under which the WAF and the TURN server share their key.</summary>
    public required string TurnServerName { get; init; }

    /// <summary>What browsers are told about the TURN server (RFC 7065).</summary>
    public required IReadOnlyList<string> TurnUris { get; init; }

    public required string WafClientId { get; init; }

    /// <summary>Null where this client signs instead.</summary>
    public required Redacted<string>? WafClientSecret { get; init; }

    /// <summary>With what it signs; null where there is a secret.</summary>
    public required WafSigningSettings? WafSigning { get; init; }

    /// <summary>The domain of all identities in the IMS.</summary>
    public required string HomeDomain { get; init; }

    public required PoolSettings Pool { get; init; }

    /// <summary>A session ends this long after it began, used or not; one that is registered then goes on until it is not.</summary>
    public required TimeSpan SessionLifetime { get; init; }

    /// <summary>Whatever is registered: the user is asked again after this time.</summary>
    public TimeSpan MaxSessionLifetime => 2 * SessionLifetime;

    public required LimitSettings Limits { get; init; }

    /// <summary>A provider that users may log in at; null where there is none.</summary>
    public required OpenIdConnectSettings? OpenIdConnect { get; init; }

    /// <summary>From where X-Forwarded-For and X-Forwarded-Proto are believed, besides this machine.</summary>
    public required IReadOnlyList<IPNetwork> KnownProxies { get; init; }

    public required StoreSettings Store { get; init; }

    /// <exception cref="SettingsException">There are mistakes; the message lists them all, each with its key.</exception>
    public static WwsfSettings Read(IConfiguration configuration, IHostEnvironment environment)
    {
        var reader = new SettingsReader(configuration);
        var settings = new WwsfSettings
        {
            TurnServerName = reader.Text("Wwsf:TurnServerName", "turn.webrtcims.local"),
            TurnUris = ReadTurnUris(reader, environment),
            WafClientId = reader.Text("Wwsf:Waf:ClientId", "wwsf"),
            WafClientSecret = reader.Optional("Wwsf:Waf:KeyFile") is null ? new(reader.Text("Wwsf:Waf:ClientSecret")) : null,
            WafSigning = ReadWafSigning(reader),
            HomeDomain = ReadHomeDomain(reader),
            Pool = ReadPool(reader),
            SessionLifetime = reader.Duration("Wwsf:SessionLifetime", TimeSpan.FromHours(12), TimeSpan.FromMinutes(1), TimeSpan.FromDays(30)),
            Limits = new LimitSettings(
                reader.Number("Wwsf:Limits:LoginsPerMinute", 60),
                reader.Number("Wwsf:Limits:AnonymousSessionsPerMinute", 120),
                reader.Number("Wwsf:Limits:TurnTokensPerMinute", 60),
                reader.Number("Wwsf:Limits:ImsTokensPerMinute", 60)),
            OpenIdConnect = ReadOpenIdConnect(reader),
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
        foreach (var (uri, index) in uris.Select((uri, index) => (uri, index)).Where(entry => !TurnUri().IsMatch(entry.uri)))
            reader.Problem($"{key}:{index}", $"'{uri}' is no TURN URI such as turn:turn.example.com:3478?transport=udp");
        return uris;
    }

    private static string ReadHomeDomain(SettingsReader reader)
    {
        const string key = "Wwsf:HomeDomain";
        var domain = reader.Text(key, "webrtcims.local");
        if (Uri.CheckHostName(domain) != UriHostNameType.Dns) reader.Problem(key, $"'{domain}' is no domain name such as ims.example.com");
        return domain;
    }

    private static PoolSettings ReadPool(SettingsReader reader)
    {
        var name = reader.Text("Wwsf:Pool:Name", "guest");
        if (!name.All(char.IsAsciiLetterOrDigit)) reader.Problem("Wwsf:Pool:Name", $"'{name}' must be letters and digits");
        var size = reader.Number("Wwsf:Pool:Size", 50, PoolSettings.MaxSize);
        return new PoolSettings(
            name,
            size,
            reader.Number("Wwsf:Pool:PerAddress", Math.Max(1, size / 2), PoolSettings.MaxSize),
            reader.Text("Wwsf:Pool:DisplayName", "Guest"),
            reader.Duration("Wwsf:Pool:Lease", TimeSpan.FromMinutes(15), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
            reader.Duration("Wwsf:Pool:Quarantine", TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)));
    }

    private static OpenIdConnectSettings? ReadOpenIdConnect(SettingsReader reader)
    {
        const string section = "Wwsf:OpenIdConnect:";
        if (!reader.Has("Wwsf:OpenIdConnect")) return null;

        var authority = reader.Text(section + "Authority");
        // Whoever is in between could log in as anybody.
        if (authority.Length > 0 && !(Uri.TryCreate(authority, UriKind.Absolute, out var address) && (address.Scheme == "https" || (address.Scheme == "http" && address.IsLoopback))))
            reader.Problem(section + "Authority", $"'{authority}' is no https address such as https://login.example.com");
        return new OpenIdConnectSettings(
            authority,
            reader.Text(section + "ClientId"),
            new(reader.Text(section + "ClientSecret")),
            reader.Text(section + "DisplayName", "your organisation"),
            reader.List(section + "Scopes") is { Count: > 0 } scopes ? scopes : ["profile"],
            reader.Text(section + "UserClaim", "preferred_username"),
            reader.Optional(section + "ImpuClaim"),
            reader.Text(section + "ImpiClaim", "impi"),
            reader.Text(section + "DisplayNameClaim", "name"));
    }

    private static WafSigningSettings? ReadWafSigning(SettingsReader reader)
    {
        const string key = "Wwsf:Waf:KeyFile";
        if (reader.Optional(key) is not { } file) return null;
        if (reader.Optional("Wwsf:Waf:ClientSecret") is not null) reader.Problem("Wwsf:Waf:ClientSecret", $"and {key} exclude each other");
        var issuer = reader.Text("Wwsf:Waf:Issuer");
        var signingKey = ECDsa.Create();
        try
        {
            signingKey.ImportFromPem(File.ReadAllText(file));
            if (signingKey.KeySize == 256 && signingKey.ExportParameters(includePrivateParameters: true).D is not null) return new WafSigningSettings(issuer, signingKey);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or CryptographicException)
        {
            // What is wrong with it could quote it.
        }

        reader.Problem(key, $"'{file}' is no file with an EC private key (P-256) in PEM");
        return null;
    }

    private static void CheckRedis(SettingsReader reader, string? connectionString)
    {
        try
        {
            if (!string.IsNullOrWhiteSpace(connectionString)) ConfigurationOptions.Parse(connectionString);
        }
        catch (ArgumentException)
        {
            reader.Problem("ConnectionStrings:redis", "is no Redis address such as 127.0.0.1:6379");
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

/// <summary>For private_key_jwt (RFC 7523): what the WAF calls itself, and this client's key.</summary>
internal sealed record WafSigningSettings(string Issuer, ECDsa Key);

/// <summary>How often a minute; a limit that was not used up lets that many through at once.</summary>
internal sealed record LimitSettings(int LoginsPerMinute, int AnonymousSessionsPerMinute, int TurnTokensPerMinute, int ImsTokensPerMinute);

/// <summary>
/// The identities that this WWSF holds for guests: <c>{Name}-1</c> to <c>{Name}-{Size}</c> of the home domain, as the eP-CSCF
/// has them, too. One client address may have <paramref name="PerAddress"/> of them. Without use a lease lasts this long; after it, nobody has the identity for the time of the quarantine.
/// </summary>
internal sealed record PoolSettings(string Name, int Size, int PerAddress, string DisplayName, TimeSpan Lease, TimeSpan Quarantine)
{
    /// <summary>What an eP-CSCF knows at most.</summary>
    public const int MaxSize = 10_000;
}

/// <summary>
/// An OpenID Connect provider, and which of its claims say who somebody is: a name for the account here and, with an
/// <paramref name="ImpuClaim"/>, the identities of the IMS subscription.
/// </summary>
internal sealed record OpenIdConnectSettings(
    string Authority, string ClientId, Redacted<string> ClientSecret, string DisplayName, IReadOnlyList<string> Scopes,
    string UserClaim, string? ImpuClaim, string ImpiClaim, string DisplayNameClaim)
{
    public IEnumerable<string> Claims => new[] { UserClaim, ImpuClaim, ImpiClaim, DisplayNameClaim }.OfType<string>().Distinct();
}

/// <summary>Settings that cannot be used.</summary>
internal sealed class SettingsException(string message) : Exception(message);

/// <summary>Reads settings one by one and collects what is wrong with them, so that one message can say it all.</summary>
internal sealed class SettingsReader(IConfiguration configuration)
{
    private readonly List<string> _problems = [];

    public void Problem(string key, string text) => _problems.Add($"{key} {text}");

    public string Text(string key, string? fallback = null)
    {
        var text = configuration[key] ?? fallback ?? "";
        if (string.IsNullOrWhiteSpace(text)) Problem(key, "is missing");
        return text;
    }

    public bool Has(string section) => configuration.GetSection(section).GetChildren().Any();

    public string? Optional(string key) => string.IsNullOrWhiteSpace(configuration[key]) ? null : configuration[key];

    public List<string> List(string key) => [.. configuration.GetSection(key).GetChildren().Select(child => child.Value).OfType<string>()];

    public int Number(string key, int fallback, int max = int.MaxValue)
    {
        if (configuration[key] is not { } text) return fallback;
        if (int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= max) return number;
        Problem(key, $"must be a whole number from 1{(max < int.MaxValue ? $" to {max}" : "")}, not '{text}'");
        return fallback;
    }

    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan min, TimeSpan max)
    {
        if (configuration[key] is not { } text) return fallback;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var duration) && duration >= min && duration <= max) return duration;
        Problem(key, $"must be a time from {min:c} to {max:c}, not '{text}'");
        return fallback;
    }

    public void ThrowIfAnyProblem()
    {
        if (_problems.Count == 0) return;
        var message = new StringBuilder("The settings cannot be used:");
        foreach (var problem in _problems) message.Append("\n  ").Append(problem);
        throw new SettingsException(message.ToString());
    }
}
