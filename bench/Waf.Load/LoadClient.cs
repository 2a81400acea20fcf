using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WebRtcIms.Waf.Load;

/// <summary>How the client of a run authenticates itself.</summary>
internal static class AuthenticationMethod
{
    /// <summary>A secret of 256 random bits, in the Authorization header.</summary>
    public const string Secret = "client_secret_basic";

    /// <summary>An assertion that is signed with ES256 (RFC 7523).</summary>
    public const string Key = "private_key_jwt";
}

/// <summary>One token request.</summary>
internal sealed record TokenRequest(AuthenticationHeaderValue? Authorization, IReadOnlyList<KeyValuePair<string, string>> Form)
{
    public HttpRequestMessage ToMessage()
    {
        var message = new HttpRequestMessage(HttpMethod.Post, "oauth2/token") { Content = new FormUrlEncodedContent(Form) };
        message.Headers.Authorization = Authorization;
        return message;
    }
}

/// <summary>A client that registers at the server, and makes its token requests beforehand.</summary>
internal sealed class LoadClient : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly string _method;
    private readonly WafProcess _server;
    private string _clientId = "";
    private string _secret = "";

    private LoadClient(WafProcess server, string method) => (_server, _method) = (server, method);

    /// <summary>Registers by RFC 7591. The stock server has no such endpoint of OpenIddict; the benchmark gave it one.</summary>
    public static async Task<LoadClient> CreateAsync(HttpClient http, WafProcess server, string method)
    {
        var client = new LoadClient(server, method);
        using var request = new HttpRequestMessage(HttpMethod.Post, "oauth2/register");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", WafProcess.InitialAccessToken);
        var metadata = new JsonObject
        {
            ["token_endpoint_auth_method"] = method,
            ["grant_types"] = new JsonArray("client_credentials"),
        };
        if (method == AuthenticationMethod.Key) metadata["jwks"] = new JsonObject { ["keys"] = new JsonArray(client.PublicKey()) };
        request.Content = JsonContent.Create(metadata);
        using var response = await http.SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();
        if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"Registration: {(int)response.StatusCode}: {body}");
        using var registered = JsonDocument.Parse(body);
        client._clientId = registered.RootElement.GetProperty("client_id").GetString()!;
        if (registered.RootElement.TryGetProperty("client_secret", out var secret)) client._secret = secret.GetString()!;
        return client;
    }

    /// <summary>Makes requests; each assertion serves once.</summary>
    public IReadOnlyList<TokenRequest> Prepare(int count) => [.. Enumerable.Range(0, count).Select(_ => Create())];

    public void Dispose() => _key.Dispose();

    private TokenRequest Create()
    {
        List<KeyValuePair<string, string>> form = [new("grant_type", "client_credentials"), new("scope", "stun")];
        if (!_server.IsStock) form.Add(new("aud", WafProcess.TurnServer));
        if (_method == AuthenticationMethod.Secret)
        {
            var basic = Convert.ToBase64String(Encoding.ASCII.GetBytes($"{_clientId}:{_secret}"));
            return new TokenRequest(new AuthenticationHeaderValue("Basic", basic), form);
        }

        form.Add(new("client_id", _clientId));
        form.Add(new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        form.Add(new("client_assertion", Sign()));
        return new TokenRequest(null, form);
    }

    private JsonObject PublicKey()
    {
        var point = _key.ExportParameters(false).Q;
        return new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["alg"] = "ES256",
            ["use"] = "sig",
            ["kid"] = "bench",
            ["x"] = Base64Url.EncodeToString(point.X),
            ["y"] = Base64Url.EncodeToString(point.Y),
        };
    }

    private string Sign()
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var header = new JsonObject { ["alg"] = "ES256", ["typ"] = "client-authentication+jwt", ["kid"] = "bench" };
        var claims = new JsonObject
        {
            ["iss"] = _clientId,
            ["sub"] = _clientId,
            ["aud"] = _server.Address.AbsoluteUri,
            ["jti"] = Guid.NewGuid().ToString("N"),
            ["iat"] = now,
            ["exp"] = now + 240,
        };
        var text = $"{Encode(header)}.{Encode(claims)}";
        return $"{text}.{Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256))}";
    }

    private static string Encode(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}
