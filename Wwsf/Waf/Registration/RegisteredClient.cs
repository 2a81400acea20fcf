using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>A client as the WAF registered it.</summary>
/// <param name="ClientId">The name that the WAF gave it.</param>
/// <param name="Issuer">The name of the WAF, for which the client signs.</param>
/// <param name="AccessToken">The registration access token (RFC 7592 §3).</param>
/// <param name="Key">The key with which the client signs.</param>
/// <param name="KeyCreatedAt">When the key was made.</param>
internal sealed record RegisteredClient(string ClientId, string Issuer, string AccessToken, ECDsa Key, DateTimeOffset KeyCreatedAt)
{
    public WafCredentials Credentials => new(ClientId, Secret: null, new(Issuer, Key));

    public bool Has(WafCredentials credentials) =>
        credentials.ClientId == ClientId && credentials.Signing is { } signing && signing.Issuer == Issuer
        && signing.Key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(Key.ExportSubjectPublicKeyInfo());

    public override string ToString() => "***";
}
