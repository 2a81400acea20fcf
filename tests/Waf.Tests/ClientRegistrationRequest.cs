using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WebRtcIms.Waf.Tests;

/// <summary>Requests of RFC 7591 and RFC 7592.</summary>
internal static class ClientRegistrationRequest
{
    public const string Endpoint = "/oauth2/register";
    public const string FirstToken = "an initial access token of 43 characters+/";
    public const string TokenName = "first";

    /// <summary>Settings with an initial access token, and an address for those that sign.</summary>
    public static WafApp WithRegistration(this WafApp app, int uses = 100) =>
        app.With("Waf:Issuer", "https://waf.example.org/").WithInitialAccessToken(uses);

    public static WafApp WithInitialAccessToken(this WafApp app, int uses = 100) => app
        .With("Waf:InitialAccessTokens:0:Name", TokenName)
        .With("Waf:InitialAccessTokens:0:Token", FirstToken)
        .With("Waf:InitialAccessTokens:0:Uses", $"{uses}")
        .With("Waf:InitialAccessTokens:0:Audiences:0", WafApp.TurnServer);

    public static Task<RegistrationAnswer> RegisterAsync(WafApp app, JsonObject? metadata = null, string? token = FirstToken) =>
        SendAsync(app, HttpMethod.Post, Endpoint, token, Json(metadata ?? []));

    public static Task<RegistrationAnswer> ReadAsync(WafApp app, string clientId, string? token) =>
        SendAsync(app, HttpMethod.Get, $"{Endpoint}/{clientId}", token);

    public static Task<RegistrationAnswer> UpdateAsync(WafApp app, string clientId, string? token, JsonObject? metadata = null)
    {
        metadata ??= [];
        metadata.TryAdd("client_id", clientId);
        return SendAsync(app, HttpMethod.Put, $"{Endpoint}/{clientId}", token, Json(metadata));
    }

    public static Task<RegistrationAnswer> DeleteAsync(WafApp app, string clientId, string? token) =>
        SendAsync(app, HttpMethod.Delete, $"{Endpoint}/{clientId}", token);

    public static StringContent Json(JsonNode body) => new(body.ToJsonString(), Encoding.UTF8, "application/json");

    public static async Task<RegistrationAnswer> SendAsync(
        WafApp app, HttpMethod method, string path, string? token, HttpContent? content = null)
    {
        using var client = app.Connect();
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new RegistrationAnswer(
            response.StatusCode, body.Length == 0 ? default : JsonElement.Parse(body),
            response.Headers.Concat(response.Content.Headers)
                .ToDictionary(header => header.Key, header => string.Join(", ", header.Value)));
    }
}

/// <summary>The response to such a request.</summary>
internal sealed record RegistrationAnswer(HttpStatusCode Status, JsonElement Body, Dictionary<string, string> Headers)
{
    public string ClientId => Text("client_id");

    public string Secret => Text("client_secret");

    public string AccessToken => Text("registration_access_token");

    public string Text(string name) => Body.GetProperty(name).GetString()!;

    public string[] Texts(string name) => [.. Body.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];

    public bool Has(string name) => Body.TryGetProperty(name, out var _);

    public RegistrationAnswer Assert(HttpStatusCode status)
    {
        Xunit.Assert.True(Status == status, $"{Status}: {Body}");
        Xunit.Assert.Equal("no-store", Headers["Cache-Control"]);
        return this;
    }

    public RegistrationAnswer AssertInvalidToken()
    {
        Assert(HttpStatusCode.Unauthorized);
        Xunit.Assert.Equal("Bearer error=\"invalid_token\"", Headers["WWW-Authenticate"]);
        Xunit.Assert.Equal("invalid_token", Text("error"));
        return this;
    }
}
