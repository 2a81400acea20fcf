using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>The client information response (RFC 7591 §3.2.1, RFC 7592 §3).</summary>
internal static class RegistrationResponse
{
    public static JsonObject Create(ClientInformation client, Uri address)
    {
        var (metadata, limits) = (client.Metadata, client.Metadata.Limits);
        var response = new JsonObject
        {
            ["client_id"] = client.ClientId,
            ["client_id_issued_at"] = client.RegisteredAt,
            ["registration_access_token"] = client.AccessToken,
            ["registration_client_uri"] = address.AbsoluteUri,
            ["token_endpoint_auth_method"] = metadata.AuthenticationMethod,
            ["grant_types"] = List([GrantTypes.ClientCredentials]),
            ["response_types"] = new JsonArray(),
            ["scope"] = string.Join(' ', limits.Scopes),
            ["audiences"] = List(limits.Audiences),
            ["impus"] = List(limits.Impus),
        };
        if (client.ClientSecret is { } secret) response["client_secret"] = secret;
        if (metadata.HasSecret) response["client_secret_expires_at"] = 0;
        if (metadata.Name is { } name) response["client_name"] = name;
        if (metadata.Keys is { } keys) response["jwks"] = new JsonObject { ["keys"] = new JsonArray([.. keys.Keys.Select(Describe)]) };
        return response;
    }

    private static JsonArray List(IEnumerable<string> texts) => new([.. texts.Select(text => JsonValue.Create(text))]);

    private static JsonObject Describe(JsonWebKey key)
    {
        (string Name, string? Value)[] members =
        [
            ("kty", key.Kty), ("kid", key.Kid), ("use", key.Use), ("alg", key.Alg), ("crv", key.Crv), ("x", key.X), ("y", key.Y),
            ("n", key.N), ("e", key.E),
        ];
        var response = new JsonObject(members.Where(member => !string.IsNullOrEmpty(member.Value))
            .Select(member => KeyValuePair.Create(member.Name, (JsonNode?)member.Value)));
        if (key.X5c.Count > 0) response["x5c"] = List(key.X5c);
        return response;
    }
}
