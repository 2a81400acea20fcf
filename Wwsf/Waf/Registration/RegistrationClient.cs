using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>The client id and the registration access token that the WAF gave.</summary>
internal sealed record Registered(string ClientId, string AccessToken)
{
    public override string ToString() => "***";
}

/// <summary>
/// Requests of the registration: metadata (RFC 8414), registration (RFC 7591), and the state of the registration (RFC 7592). Each goes to
/// the address of the WAF in the settings, which may differ from that in its responses.
/// </summary>
internal sealed class RegistrationClient(HttpClient http, TimeProvider time)
{
    /// <summary>A WAF that has just started hashes slowly. A response that comes later costs a use of the initial access token.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private const string MetadataPath = "/.well-known/oauth-authorization-server";
    private const string RegistrationPath = "/oauth2/register";
    private const string Method = "private_key_jwt";
    private const int MaxTextLength = 255;

    /// <summary>The issuer name of the WAF. Assertions have it as their audience.</summary>
    public async Task<(string? Issuer, Failure? Failure)> DiscoverAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, MetadataPath);
        var (status, body, failure) = await SendAsync(request, cancellationToken);
        if (failure is not null) return (null, failure);
        if (status != 200 || ReadText(body, "issuer") is not { } issuer || !Uri.TryCreate(issuer, UriKind.Absolute, out _))
            return (null, new($"the metadata of the WAF cannot be used (HTTP {status})", NeedsOperator: true));
        return body!["token_endpoint_auth_methods_supported"] is JsonArray methods && methods.Any(method => AsText(method) == Method)
            ? (issuer, null)
            : (null, new("the WAF does not accept clients that sign: it needs Waf:Issuer", NeedsOperator: true));
    }

    /// <summary>Registers a client that signs with the key of this JWK Set.</summary>
    public async Task<(Registered? Client, Failure? Failure)> RegisterAsync(
        string initialAccessToken, string jwks, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Post, RegistrationPath, initialAccessToken);
        request.Content = JsonContent.Create(Metadata(jwks));
        var (status, body, failure) = await SendAsync(request, cancellationToken);
        if (failure is not null) return (null, failure);
        return status switch
        {
            201 when ReadRegistered(body) is { } registered => (registered, null),
            201 => (null, new("the response of the WAF to the registration cannot be used", NeedsOperator: true)),
            401 => (null, new(
                "the WAF refused Wwsf:Waf:InitialAccessToken, which is used up, expired or unknown there. Put a new token into "
                + "Waf:InitialAccessTokens and Wwsf:Waf:InitialAccessToken, and restart both", NeedsOperator: true)),
            _ => (null, new($"the WAF refused the registration with HTTP {status}", NeedsOperator: true)),
        };
    }

    /// <summary>Whether the WAF still has the client. It answers 401 if not (RFC 7592 §2.1).</summary>
    public async Task<(bool IsKnown, Failure? Failure)> IsKnownAsync(RegisteredClient client, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Get, PathOf(client), client.AccessToken);
        var (status, _, failure) = await SendAsync(request, cancellationToken);
        return status switch
        {
            _ when failure is not null => (false, failure),
            200 => (true, null),
            401 => (false, null),
            _ => (false, new($"the WAF answered HTTP {status} about the registration", NeedsOperator: true)),
        };
    }

    /// <summary>Replaces the keys of the client (RFC 7592 §2.2). The response has a new registration access token.</summary>
    public async Task<(Registered? Client, Failure? Failure)> UpdateAsync(
        RegisteredClient client, string jwks, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Put, PathOf(client), client.AccessToken);
        var metadata = Metadata(jwks);
        metadata["client_id"] = client.ClientId;
        request.Content = JsonContent.Create(metadata);
        var (status, body, failure) = await SendAsync(request, cancellationToken);
        if (failure is not null) return (null, failure);
        return status == 200 && ReadRegistered(body) is { } updated
            ? (updated, null)
            : (null, new($"the WAF answered HTTP {status} to an update of the registration", NeedsOperator: true));
    }

    private static JsonObject Metadata(string jwks) => new()
    {
        ["client_name"] = "WWSF",
        ["token_endpoint_auth_method"] = Method,
        ["grant_types"] = new JsonArray("client_credentials"),
        ["jwks"] = JsonNode.Parse(jwks),
    };

    private static string PathOf(RegisteredClient client) => $"{RegistrationPath}/{Uri.EscapeDataString(client.ClientId)}";

    private static HttpRequestMessage Request(HttpMethod method, string path, string token) =>
        new(method, path) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };

    // RFC 7591 §3.2.1: the WAF may register other metadata than it was sent.
    private static Registered? ReadRegistered(JsonObject? body) =>
        ReadText(body, "client_id") is { } clientId && ReadText(body, "registration_access_token") is { } accessToken
        && body!["token_endpoint_auth_method"] is var method && (method is null || AsText(method) == Method)
            ? new(clientId, accessToken)
            : null;

    private static string? ReadText(JsonObject? body, string name) =>
        body is not null && AsText(body[name]) is { Length: > 0 and <= MaxTextLength } text && !text.Any(char.IsControl) ? text : null;

    private static string? AsText(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private async Task<(int Status, JsonObject? Body, Failure? Failure)> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Limit, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var response = await http.SendAsync(request, limit.Token);
            var body = await response.Content.ReadAsStringAsync(limit.Token);
            var status = (int)response.StatusCode;
            return status is 429 or >= 500
                ? (status, null, new($"the WAF answered HTTP {status}", RetryAfter: response.Headers.ReadRetryAfter(time)))
                : (status, Parse(body), null);
        }
        catch (HttpRequestException error)
        {
            return (0, null, new($"the WAF cannot be reached ({error.HttpRequestError})"));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (0, null, new("the WAF did not answer in time"));
        }
    }

    private static JsonObject? Parse(string body)
    {
        try
        {
            return JsonNode.Parse(body) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
