using WebRtcIms.Stores;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>Whether a password logs in without a passkey: the setting <c>Wwsf:PasswordLogin</c>.</summary>
internal enum PasswordLogin
{
    /// <summary><see cref="Always"/> in Development, <see cref="UntilPasskey"/> elsewhere.</summary>
    Default,

    /// <summary>A password is enough.</summary>
    Always,

    /// <summary>
    /// A user who has a passkey needs it. A user without one can only add one after the log-in with the password (ASVS 6.3.3).
    /// </summary>
    UntilPasskey,

    /// <summary>Only passkeys and the provider of <see cref="WwsfSettings.OpenIdConnect"/>.</summary>
    Never,
}

/// <summary>The sections <c>Wwsf</c> and <c>ConnectionStrings:wwsf</c> of the configuration.</summary>
internal sealed partial class WwsfSettings
{
    public const string KeyDirectorySetting = $"{Section}:{nameof(KeyDirectory)}";
    private const string Section = "Wwsf";
    private static readonly string[] DevelopmentTurnUris = ["turn:127.0.0.1:3478?transport=udp", "turn:127.0.0.1:3478?transport=tcp"];

    /// <summary>Audience of the tokens: the name under which the WAF and the TURN server share their key.</summary>
    [Required(ErrorMessage = "{0} is missing")]
    public string TurnServerName { get; set; } = "turn.webrtcims.local";

    /// <summary>The URIs of the TURN server that browsers get (RFC 7065).</summary>
    public List<string> TurnUris { get; set; } = [];

    public WafClientSettings Waf { get; set; } = new();

    /// <summary>The origins at which browsers have the page, such as https://phone.example.com. Required outside Development.</summary>
    public List<string> PublicOrigin { get; set; } = [];

    public PublicOrigins Origins { get; private set; } = null!;

    public EpCscfClientSettings EpCscf { get; set; } = new();

    /// <summary>The domain of all identities in the IMS.</summary>
    [Required(ErrorMessage = "{0} is missing")]
    public string HomeDomain { get; set; } = "webrtcims.local";

    public PoolSettings Pool { get; set; } = new();

    /// <summary>A session ends this long after it began, used or not. A registered session goes on until its registration ends.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan SessionLifetime { get; set; } = TimeSpan.FromHours(12);

    /// <summary>A user's session that was not used for this time ends, unless it is registered.</summary>
    [Range(typeof(TimeSpan), "00:05:00", "30.00:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan SessionIdleTimeout { get; set; } = TimeSpan.FromHours(2);

    /// <summary>After this time a registered session also ends, and the user logs in again.</summary>
    public TimeSpan MaxSessionLifetime => 2 * SessionLifetime;

    public PasswordLogin PasswordLogin { get; set; }

    public LimitSettings Limits { get; set; } = new();

    public StageSettings Stage { get; set; } = new();

    /// <summary>The provider at which users may log in; null if there is none.</summary>
    public OpenIdConnectSettings? OpenIdConnect { get; set; }

    /// <summary>The addresses and networks whose X-Forwarded headers are accepted, in addition to this machine.</summary>
    public List<string> KnownProxies { get; set; } = [];

    /// <summary>
    /// The folder of the Data Protection keys that encrypt cookies, and secrets in the store. All replicas need the same one. The default
    /// is <c>keys</c> beside the store.
    /// </summary>
    public string? KeyDirectory { get; set; }

    public StoreSettings Store { get; private set; } = null!;

    /// <exception cref="SettingsException">Settings are invalid; the message lists all of them by key.</exception>
    public static WwsfSettings Read(IConfiguration configuration, IHostEnvironment environment) =>
        SettingsReader.Read<WwsfSettings>(configuration, Section, settings => settings.Complete(configuration, environment));

    // Sets the values that depend on other settings, and returns the problems of these.
    private IEnumerable<string> Complete(IConfiguration configuration, IHostEnvironment environment)
    {
        if (PasswordLogin == PasswordLogin.Default)
            PasswordLogin = environment.IsDevelopment() ? PasswordLogin.Always : PasswordLogin.UntilPasskey;
        if (TurnUris.Count == 0 && environment.IsDevelopment()) TurnUris.AddRange(DevelopmentTurnUris);
        if (TurnUris.Count == 0)
            yield return "Wwsf:TurnUris:0 is missing; give at least one such as turn:turn.example.com:3478?transport=udp";
        foreach (var (index, uri) in TurnUris.Index().Where(entry => !IsTurnUri(entry.Item)))
            yield return $"Wwsf:TurnUris:{index} must be a TURN URI such as turn:turn.example.com:3478?transport=udp{SettingText.Not(uri)}";
        if (PublicOrigin.Count == 0 && !environment.IsDevelopment())
            yield return $"Wwsf:PublicOrigin:0 is missing; give {PublicOrigins.Example}";
        foreach (var (index, origin) in PublicOrigin.Index().Where(entry => !PublicOrigins.IsValid(entry.Item)))
            yield return $"Wwsf:PublicOrigin:{index} must be {PublicOrigins.Example}{SettingText.Not(origin)}";
        Origins = new(PublicOrigin.Where(PublicOrigins.IsValid), environment.IsDevelopment());
        if (Uri.CheckHostName(HomeDomain) != UriHostNameType.Dns)
            yield return $"Wwsf:HomeDomain must be a domain name such as ims.example.com{SettingText.Not(HomeDomain)}";
        foreach (var problem in ServiceDefaults.Admission.KnownProxies.Problems("Wwsf:KnownProxies", KnownProxies)) yield return problem;
        foreach (var problem in Stage.Complete(environment)) yield return problem;
        foreach (var problem in Waf.Complete().Concat(EpCscf.Problems(environment)).Concat(OpenIdConnect?.Problems() ?? []))
            yield return problem;
        if (KeyDirectory?.Contains('\0', StringComparison.Ordinal) is true)
            yield return $"{KeyDirectorySetting} must be the path of a folder";
        else KeyDirectory = string.IsNullOrEmpty(KeyDirectory) ? null : Path.GetFullPath(KeyDirectory, environment.ContentRootPath);
        if (StoreSettings.Read("wwsf", configuration.GetConnectionString("wwsf"), environment.ContentRootPath) is { } store) Store = store;
        else yield return "ConnectionStrings:wwsf " + StoreSettings.Problem("wwsf");
        if (RedisAddress.Problem(configuration) is { } redis) yield return redis;
    }

    private static bool IsTurnUri(string text) =>
        TurnUri().Match(text) is { Success: true, Groups: var groups } && HttpAddress.Parse($"http://{groups["host"]}") is not null;

    [GeneratedRegex(@"^turns?:(?<host>[^\s/@?]+)(\?transport=(udp|tcp))?$")]
    private static partial Regex TurnUri();
}

/// <summary>Token buckets: each number is the rate per minute and also the burst.</summary>
internal sealed class LimitSettings
{
    [Range(1, int.MaxValue, ErrorMessage = "{0} must be at least 1")]
    public int LoginsPerMinute { get; set; } = 60;

    /// <summary>Passwords of unknown browsers that are hashed at the same time. Each needs a CPU core for tens of milliseconds.</summary>
    [Range(1, 1024, ErrorMessage = "{0} must be from {1} to {2}")]
    public int PasswordChecks { get; set; } = Math.Max(1, Environment.ProcessorCount / 2);

    /// <summary>Log-ins that may wait for their hash.</summary>
    [Range(1, 100_000, ErrorMessage = "{0} must be from {1} to {2}")]
    public int WaitingPasswordChecks { get; set; } = 100;

    [Range(1, int.MaxValue, ErrorMessage = "{0} must be at least 1")]
    public int AnonymousSessionsPerMinute { get; set; } = 120;

    [Range(1, int.MaxValue, ErrorMessage = "{0} must be at least 1")]
    public int TurnTokensPerMinute { get; set; } = 60;

    [Range(1, int.MaxValue, ErrorMessage = "{0} must be at least 1")]
    public int ImsTokensPerMinute { get; set; } = 60;

    /// <summary>Tokens of both kinds for one client address; an IPv6 address counts as its /64.</summary>
    [Range(1, int.MaxValue, ErrorMessage = "{0} must be at least 1")]
    public int TokensPerMinuteOfAddress { get; set; } = 300;

    /// <summary>Tokens of both kinds for all guests together: half of what a client may get from the WAF by default.</summary>
    [Range(1, int.MaxValue, ErrorMessage = "{0} must be at least 1")]
    public int GuestTokensPerMinute { get; set; } = 600;
}
