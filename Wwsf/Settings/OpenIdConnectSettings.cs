namespace WebRtcIms.Wwsf.Settings;

/// <summary>
/// An OpenID Connect provider, and the claims that identify a user: a name for the account here and, with an
/// <see cref="ImpuClaim"/>, the identities of the IMS subscription.
/// </summary>
internal sealed class OpenIdConnectSettings
{
    [Required(ErrorMessage = "{0} is missing")]
    public string Authority { get; set; } = "";

    [Required(ErrorMessage = "{0} is missing")]
    public string ClientId { get; set; } = "";

    public Redacted<string> ClientSecret { get; set; } = new("");

    /// <summary>The label of the button, after "Log in with".</summary>
    [Required(ErrorMessage = "{0} is missing")]
    public string DisplayName { get; set; } = "your organisation";

    /// <summary>Requested in addition to <c>openid</c>; <c>profile</c> if there are none.</summary>
    public List<string> Scopes { get; set; } = [];

    [Required(ErrorMessage = "{0} is missing")]
    public string UserClaim { get; set; } = "preferred_username";

    /// <summary>Null or empty if the store of this service decides the identities.</summary>
    public string? ImpuClaim { get; set; }

    [Required(ErrorMessage = "{0} is missing")]
    public string ImpiClaim { get; set; } = "impi";

    [Required(ErrorMessage = "{0} is missing")]
    public string DisplayNameClaim { get; set; } = "name";

    public IEnumerable<string> AllScopes => (Scopes.Count > 0 ? Scopes : ["profile"]).Prepend("openid").Distinct();

    public IEnumerable<string> Claims =>
        new[] { UserClaim, ImpuClaim, ImpiClaim, DisplayNameClaim }.OfType<string>().Where(claim => claim.Length > 0).Distinct();

    public IEnumerable<string> Problems()
    {
        if (string.IsNullOrWhiteSpace(ClientSecret.Reveal())) yield return "Wwsf:OpenIdConnect:ClientSecret is missing";
        if (Authority.Length > 0 && !IsSafe(Authority))
        {
            yield return "Wwsf:OpenIdConnect:Authority must be an https address such as https://login.example.com"
                + SettingText.Not(Authority);
        }
    }

    // An attacker on the path could log in as any user.
    private static bool IsSafe(string authority) =>
        HttpAddress.Parse(authority) is { } address && (address.Scheme == Uri.UriSchemeHttps || address.IsLoopback);
}
