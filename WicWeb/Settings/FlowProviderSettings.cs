namespace WebRtcIms.WicWeb.Settings;

/// <summary>
/// The OpenID Connect provider of <see cref="FlowReaders.OpenIdConnect"/>, and the claim that its users need to read FlowView.
/// </summary>
internal sealed class FlowProviderSettings
{
    private const string Section = "WicWeb:FlowProvider";

    public string Authority { get; init; } = "";

    public string ClientId { get; init; } = "";

    public Redacted<string> ClientSecret { get; init; }

    /// <summary>Requested in addition to <c>openid</c>.</summary>
    public List<string> Scopes { get; init; } = [];

    /// <summary>The claim, in the ID token or from the UserInfo endpoint. It may have several values.</summary>
    public string Claim { get; init; } = "roles";

    /// <summary>One of the values of <see cref="Claim"/>.</summary>
    public string Value { get; init; } = "";

    public IEnumerable<string> Problems()
    {
        // An attacker on the path could log in as any user.
        if (HttpAddress.Parse(Authority) is not { } address || !(address.Scheme == Uri.UriSchemeHttps || address.IsLoopback))
            yield return $"{Section}:Authority must be an https address such as https://login.example.com{SettingText.Not(Authority)}";
        if (ClientId.Length == 0) yield return $"{Section}:ClientId is missing";
        if (string.IsNullOrWhiteSpace(ClientSecret.Reveal())) yield return $"{Section}:ClientSecret is missing";
        if (Claim.Length == 0) yield return $"{Section}:Claim is missing";
        // Without it, each user of the provider would see the traces of all calls.
        if (Value.Length == 0) yield return $"{Section}:Value is missing: give the value of {Section}:Claim that operators have";
    }
}
