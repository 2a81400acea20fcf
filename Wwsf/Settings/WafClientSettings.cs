using WebRtcIms.ServiceDefaults.Certificates;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>
/// How this client authenticates at the WAF: it registers itself with an initial access token, or the settings of the WAF name it. Then
/// it has a secret, or a key and the issuer name of the WAF.
/// </summary>
internal sealed class WafClientSettings
{
    private const string DefaultClientId = "wwsf";

    /// <summary>With it this client registers itself (RFC 7591); null if the settings of the WAF name it.</summary>
    public Redacted<string>? InitialAccessToken { get; set; }

    /// <summary>The name of this client in the settings of the WAF; <c>wwsf</c> if it is not set.</summary>
    public string? ClientId { get; set; }

    public Redacted<string>? ClientSecret { get; set; }

    /// <summary>A file with the EC key (P-256) with which this client signs.</summary>
    public string? KeyFile { get; set; }

    /// <summary>The password of the key, if it is encrypted.</summary>
    public Redacted<string>? KeyPassword { get; set; }

    public string? Issuer { get; set; }

    /// <summary>Null if this client registers itself.</summary>
    public WafCredentials? Credentials { get; private set; }

    public bool RegistersItself => !string.IsNullOrWhiteSpace(InitialAccessToken?.Reveal());

    private bool HasSecret => !string.IsNullOrWhiteSpace(ClientSecret?.Reveal());

    /// <summary>Loads the key, if there is one, and returns the problems.</summary>
    public IEnumerable<string> Complete() => RegistersItself ? FindClashes() : ReadCredentials();

    // The WAF assigns what these settings have.
    private IEnumerable<string> FindClashes()
    {
        (string Name, bool IsSet)[] settings =
        [
            (nameof(ClientId), ClientId is not null), (nameof(ClientSecret), HasSecret),
            (nameof(KeyFile), !string.IsNullOrWhiteSpace(KeyFile)), (nameof(Issuer), !string.IsNullOrWhiteSpace(Issuer)),
        ];
        return settings.Where(setting => setting.IsSet).Select(setting =>
            $"Wwsf:Waf:{setting.Name} and Wwsf:Waf:InitialAccessToken exclude each other: "
            + "a client that registers itself needs only the token");
    }

    private IEnumerable<string> ReadCredentials()
    {
        var clientId = ClientId ?? DefaultClientId;
        if (string.IsNullOrWhiteSpace(clientId)) yield return "Wwsf:Waf:ClientId is missing";
        if (string.IsNullOrWhiteSpace(KeyFile))
        {
            if (HasSecret) Credentials = new(clientId, ClientSecret, Signing: null);
            else
            {
                yield return "Wwsf:Waf:ClientSecret is missing; or give Wwsf:Waf:KeyFile and Wwsf:Waf:Issuer, and the WWSF signs; "
                    + "or give Wwsf:Waf:InitialAccessToken, and the WWSF registers itself";
            }

            yield break;
        }

        if (HasSecret) yield return "Wwsf:Waf:ClientSecret and Wwsf:Waf:KeyFile exclude each other";
        if (string.IsNullOrWhiteSpace(Issuer)) yield return "Wwsf:Waf:Issuer is missing";
        if (LoadKey(KeyFile) is { } key) Credentials = new(clientId, Secret: null, new(Issuer ?? "", key));
        else
        {
            yield return $"Wwsf:Waf:KeyFile '{KeyFile}' is not a file with an EC private key (P-256), "
                + "or Wwsf:Waf:KeyPassword is not its password";
        }
    }

    private ECDsa? LoadKey(string file) =>
        LoadedCertificate.LoadKey(file, KeyPassword?.Reveal()) is ECDsa { KeySize: 256 } key ? key : null;
}

/// <summary>A client of the WAF. It has a secret, or it signs.</summary>
internal sealed record WafCredentials(string ClientId, Redacted<string>? Secret, WafSigning? Signing)
{
    public override string ToString() => "***";
}
