using WebRtcIms.ServiceDefaults.Certificates;

namespace WebRtcIms.WicWeb.Settings;

/// <summary>The callers that may read FlowView through the gateway: the setting <c>WicWeb:Flow</c>.</summary>
internal enum FlowReaders
{
    /// <summary><c>/flow</c> does not exist.</summary>
    Off,

    /// <summary>Browsers on this machine, in Development. For other callers <c>/flow</c> does not exist.</summary>
    Local,

    /// <summary>Callers that have opened a link with the token.</summary>
    Token,

    /// <summary>Users of <see cref="WicWebSettings.FlowProvider"/> who have the required claim.</summary>
    OpenIdConnect,
}

/// <summary>The section <c>WicWeb</c> of the configuration.</summary>
internal sealed class WicWebSettings
{
    /// <summary>For messages about a folder that cannot be used.</summary>
    public const string KeyDirectorySetting = "WicWeb:KeyDirectory";

    private const int MinTokenLength = 32;

    /// <summary>One more address of the gateway, on https, such as <c>https://192.168.1.20:8443</c>.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>The certificate for <see cref="PublicUrl"/>, perhaps with its chain and its key: PEM, DER or PFX.</summary>
    public string PublicCertificate { get; init; } = "";

    /// <summary>The key of the certificate, if it is in a file of its own.</summary>
    public string? PublicCertificateKey { get; init; }

    /// <summary>The password of an encrypted key, or of the PFX file.</summary>
    public Redacted<string> PublicCertificatePassword { get; init; }

    /// <summary>The callers that may read FlowView. The settings file of Development has <c>Local</c>.</summary>
    public FlowReaders Flow { get; init; }

    /// <summary>The token of <see cref="FlowReaders.Token"/>.</summary>
    public Redacted<string> FlowToken { get; init; }

    /// <summary>The provider of <see cref="FlowReaders.OpenIdConnect"/>.</summary>
    public FlowProviderSettings FlowProvider { get; init; } = new();

    /// <summary>
    /// The folder of the keys that encrypt the cookies of <see cref="FlowReaders.OpenIdConnect"/>. All replicas need the same one. Without
    /// it, the keys are in memory: a restart ends the log-ins, and each replica has its own.
    /// </summary>
    public string? KeyDirectory { get; set; }

    /// <summary>The host that has FlowView, and nothing else. Without it, FlowView is beside the page.</summary>
    public string FlowHost { get; init; } = "";

    /// <summary>Whether HSTS is also for the hosts below that of the page.</summary>
    public bool HstsSubDomains { get; init; } = true;

    /// <summary>
    /// The addresses and networks of proxies in front of the gateway, whose X-Forwarded headers are accepted. No others are, not even of
    /// this machine.
    /// </summary>
    public List<string> KnownProxies { get; init; } = [];

    public ConnectionSettings Connections { get; init; } = new();

    /// <summary>The settings of the certificate for <see cref="PublicUrl"/>; null without such an address.</summary>
    public CertificateFiles? PublicCertificateFiles => PublicUrl.Length == 0 ? null : new(
        "WicWeb:PublicCertificate", PublicCertificate, "WicWeb:PublicCertificateKey", PublicCertificateKey,
        "WicWeb:PublicCertificatePassword", PublicCertificatePassword.Reveal());

    /// <exception cref="SettingsException">Settings are wrong. The message lists them all, each with its key.</exception>
    public static WicWebSettings Read(IConfiguration configuration, IHostEnvironment environment) =>
        SettingsReader.Read<WicWebSettings>(configuration, "WicWeb", settings => settings.Problems(environment));

    private IEnumerable<string> Problems(IHostEnvironment environment)
    {
        foreach (var problem in ServiceDefaults.Admission.KnownProxies.Problems("WicWeb:KnownProxies", KnownProxies)) yield return problem;
        if (Flow == FlowReaders.Local && !environment.IsDevelopment())
            yield return "WicWeb:Flow may be Local only in Development, because a proxy on this machine is local also; use OpenIdConnect";
        if (PublicUrl.Length > 0 && (HttpAddress.Parse(PublicUrl) is not { PathAndQuery: "/" } url || url.Scheme != Uri.UriSchemeHttps))
            yield return $"WicWeb:PublicUrl must be an https address such as https://192.168.1.20:8443{SettingText.Not(PublicUrl)}";
        if (PublicCertificateFiles is { } files && LoadedCertificate.Load(files, out var unusable) is null) yield return unusable!;
        var token = FlowToken.Reveal() ?? "";
        if (token.Length < MinTokenLength && (Flow == FlowReaders.Token || token.Length > 0))
            yield return $"WicWeb:FlowToken must have at least {MinTokenLength} characters, such as those of 'openssl rand -hex 32'";
        if (FlowHost.Length > 0 && Uri.CheckHostName(FlowHost) == UriHostNameType.Unknown)
            yield return $"WicWeb:FlowHost must be a host such as flow.example.com{SettingText.Not(FlowHost)}";
        if (KeyDirectory?.Contains('\0', StringComparison.Ordinal) is true)
            yield return $"{KeyDirectorySetting} must be the path of a folder";
        else KeyDirectory = string.IsNullOrEmpty(KeyDirectory) ? null : Path.GetFullPath(KeyDirectory, environment.ContentRootPath);
        if (Flow != FlowReaders.OpenIdConnect) yield break;
        foreach (var problem in FlowProvider.Problems()) yield return problem;
    }
}
