using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>
/// An OpenID Connect provider, and the claims that identify a user: a name for the account here and, with an
/// <paramref name="ImpuClaim"/>, the identities of the IMS subscription.
/// </summary>
internal sealed record OpenIdConnectSettings(
    string Authority, string ClientId, Redacted<string> ClientSecret, string DisplayName, IReadOnlyList<string> Scopes,
    string UserClaim, string? ImpuClaim, string ImpiClaim, string DisplayNameClaim)
{
    public IEnumerable<string> Claims => new[] { UserClaim, ImpuClaim, ImpiClaim, DisplayNameClaim }.OfType<string>().Distinct();

    public static OpenIdConnectSettings? Read(SettingsReader reader)
    {
        const string section = "Wwsf:OpenIdConnect:";
        if (!reader.Has("Wwsf:OpenIdConnect")) return null;

        var authority = reader.Text(section + "Authority");
        if (authority.Length > 0 && !IsSafe(authority))
            reader.Problem(section + "Authority", $"'{authority}' is not an https address such as https://login.example.com");
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

    // An attacker on the path could log in as any user.
    private static bool IsSafe(string authority) =>
        Uri.TryCreate(authority, UriKind.Absolute, out var address) && (address.Scheme == "https" || (address.Scheme == "http" && address.IsLoopback));
}
