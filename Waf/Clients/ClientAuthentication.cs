using System.Text.Json;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients;

/// <summary>How a client authenticates. It is kept with the client, in OpenIddict's store.</summary>
/// <param name="Methods">The methods that it may use, of RFC 7591 §2 and RFC 8705 §2.</param>
/// <param name="Certificates">The SHA-256 hashes of its certificates in hexadecimal, for mutual TLS.</param>
internal sealed record ClientAuthentication(IReadOnlyList<string> Methods, IReadOnlyList<string> Certificates)
{
    private const string Property = "webrtcims.authentication";

    /// <summary>A client of the settings has a secret, and may send it either way.</summary>
    public static ClientAuthentication AnySecret { get; } =
        new([ClientAuthenticationMethods.ClientSecretBasic, ClientAuthenticationMethods.ClientSecretPost], []);

    public static ClientAuthentication Key { get; } = new([ClientAuthenticationMethods.PrivateKeyJwt], []);

    public static ClientAuthentication Certificate(params IReadOnlyList<string> certificates) =>
        new([ClientAuthenticationMethods.SelfSignedTlsClientAuth], certificates);

    /// <param name="properties">The properties of the client.</param>
    /// <param name="hasSecret">For a client of an earlier version, which has no such property.</param>
    public static ClientAuthentication Of(IReadOnlyDictionary<string, JsonElement> properties, bool hasSecret) =>
        properties.TryGetValue(Property, out var authentication) ? authentication.Deserialize<ClientAuthentication>()!
        : hasSecret ? AnySecret
        : Key;

    public void ApplyTo(OpenIddictApplicationDescriptor client) =>
        client.Properties[Property] = JsonSerializer.SerializeToElement(this);
}
