using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>The metadata of a client that this server uses (RFC 7591 §2). Other metadata is ignored, as the RFC requires.</summary>
/// <param name="Name">client_name.</param>
/// <param name="AuthenticationMethod">token_endpoint_auth_method.</param>
/// <param name="Keys">jwks, for clients that sign. For mutual TLS each key has its certificate (RFC 8705 §2.2.2).</param>
/// <param name="Limits">scope, and our own <c>audiences</c> and <c>impus</c>. The rest is that of the initial access token.</param>
internal sealed record ClientMetadata(string? Name, string AuthenticationMethod, JsonWebKeySet? Keys, ClientLimits Limits)
{
    private const int MaxNameLength = 100;
    private const int MaxKeys = 10;

    public bool HasSecret => UsesSecret(AuthenticationMethod);

    /// <summary>How the client authenticates: only by the method that it registered.</summary>
    public ClientAuthentication Authentication => new(
        [AuthenticationMethod],
        AuthenticationMethod == ClientAuthenticationMethods.SelfSignedTlsClientAuth
            ? [.. Keys!.Keys.Select(key => ClientCertificate.HashOf(key)!)]
            : []);

    /// <summary>Reads the metadata of a request, or says which field is a problem.</summary>
    /// <param name="body">A JSON object.</param>
    /// <param name="ceiling">The limits of the initial access token.</param>
    /// <param name="methods">The methods that this server offers.</param>
    public static (ClientMetadata? Metadata, string? Problem) Read(
        JsonElement body, ClientLimits ceiling, IReadOnlyCollection<string> methods)
    {
        var reader = new Reader(body);
        var name = reader.Text("client_name");
        if (name?.Length > MaxNameLength || name?.Any(char.IsControl) is true)
            reader.Fail("client_name", $"must have at most {MaxNameLength} characters, and no control characters");
        var method = reader.Text("token_endpoint_auth_method") ?? ClientAuthenticationMethods.ClientSecretBasic;
        if (!methods.Contains(method)) reader.Fail("token_endpoint_auth_method", $"must be one of {string.Join(", ", methods)}");
        if (reader.Texts("grant_types") is { } grants && grants is not [GrantTypes.ClientCredentials])
            reader.Fail("grant_types", "must be [\"client_credentials\"]");
        if (reader.Has("jwks_uri")) reader.Fail("jwks_uri", "is not supported: send the keys in jwks");
        var keys = ReadKeys(reader, method);
        var limits = ReadLimits(reader, ceiling);
        return reader.Problem is { } problem ? (null, problem) : (new ClientMetadata(name, method, keys, limits), null);
    }

    private static bool UsesSecret(string method) =>
        method is ClientAuthenticationMethods.ClientSecretBasic or ClientAuthenticationMethods.ClientSecretPost;

    private static JsonWebKeySet? ReadKeys(Reader reader, string method)
    {
        var needsKeys = !UsesSecret(method);
        if (reader.Has("jwks") != needsKeys)
        {
            reader.Fail("jwks", needsKeys ? "is missing" : "is only for clients without a secret");
            return null;
        }

        if (!needsKeys) return null;
        var keys = ClientSettings.PublicKeys(reader.Json("jwks"));
        if (keys is null || keys.Keys.Count > MaxKeys)
            reader.Fail("jwks", $"must be a JWK Set of 1 to {MaxKeys} public keys for signatures, EC, or RSA of 3072 bits or more");
        else if (method == ClientAuthenticationMethods.SelfSignedTlsClientAuth
            && keys.Keys.Any(key => ClientCertificate.HashOf(key) is null))
            reader.Fail("jwks", "must have the certificate of each key in x5c");
        return keys;
    }

    private static ClientLimits ReadLimits(Reader reader, ClientLimits ceiling)
    {
        var scopes = reader.Text("scope")?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Distinct().ToList() ?? ceiling.Scopes;
        if (scopes.Count == 0 || scopes.Except(ceiling.Scopes).Any())
            reader.Fail("scope", $"must have one or more of: {string.Join(' ', ceiling.Scopes)}");
        var audiences = reader.Texts("audiences")?.Distinct().ToList() ?? ceiling.Audiences;
        if (audiences.Count == 0 || audiences.Except(ceiling.Audiences).Any())
            reader.Fail("audiences", $"must have one or more of: {string.Join(' ', ceiling.Audiences)}");

        var registers = scopes.Contains(Contracts.Scopes.ImsRegister);
        var impus = reader.Texts("impus")?.Distinct().ToList() ?? (registers ? ceiling.Impus : []);
        if (!registers && impus.Count > 0) reader.Fail("impus", $"needs the scope {Contracts.Scopes.ImsRegister}");
        else if (registers && impus.Count == 0) reader.Fail("impus", "is empty");
        else if (!impus.All(impu => IdentityBlock.Includes(ceiling.Impus, impu)))
            reader.Fail("impus", $"must be identities or patterns within: {string.Join(' ', ceiling.Impus)}");
        return ceiling with { Scopes = scopes, Audiences = audiences, Impus = impus };
    }

    /// <summary>Reads fields, and keeps the first problem. A field that is null is as one that is not there (RFC 7591 §2).</summary>
    private sealed class Reader(JsonElement body)
    {
        public string? Problem { get; private set; }

        public void Fail(string field, string problem) => Problem ??= $"{field} {problem}.";

        public bool Has(string field) => body.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null;

        public string Json(string field) => body.GetProperty(field).GetRawText();

        public string? Text(string field)
        {
            if (!Has(field)) return null;
            if (AsText(body.GetProperty(field)) is { } text) return text;
            Fail(field, "must be a text");
            return null;
        }

        public List<string>? Texts(string field)
        {
            if (!Has(field)) return null;
            var value = body.GetProperty(field);
            var texts = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(AsText).ToList() : [null];
            if (!texts.Contains(null)) return texts!;
            Fail(field, "must be a list of texts");
            return null;
        }

        private static string? AsText(JsonElement value)
        {
            try
            {
                return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            }
            catch (InvalidOperationException)
            {
                // It is not Unicode.
                return null;
            }
        }
    }
}
