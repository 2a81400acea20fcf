using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace WebRtcIms.Waf.Tests;

/// <summary>
/// A token request (interface W4) that is right in every part, for a test to change one. Parameters may come twice.
/// </summary>
internal sealed class TokenRequest
{
    public const string Path = "/oauth2/token";
    public const string RevocationPath = "/oauth2/revoke";
    public const string IntrospectionPath = "/oauth2/introspect";

    private readonly List<KeyValuePair<string, string>> _parameters =
    [
        new("grant_type", "client_credentials"), new("scope", "stun"), new("aud", WafApp.TurnServer), new("token_type", "pop"),
        new("alg", "HMAC-SHA-256-128"), new("sid", "9b0c6f"),
    ];

    public TokenRequest With(string name, string value)
    {
        Without(name);
        return And(name, value);
    }

    /// <summary>Adds a parameter, also one that is there already.</summary>
    public TokenRequest And(string name, string value)
    {
        _parameters.Add(new(name, value));
        return this;
    }

    public TokenRequest Without(string name)
    {
        _parameters.RemoveAll(parameter => parameter.Key == name);
        return this;
    }

    /// <summary>POST with client_secret_basic (RFC 6749 §2.3.1).</summary>
    public Task<TokenAnswer> SendAsync(WafApp app, string client = WafApp.Client, string secret = WafApp.ClientSecret) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, Path)
        {
            Headers = { Authorization = Basic(client, secret) },
            Content = new FormUrlEncodedContent(_parameters),
        });

    /// <summary>POST with client_secret_post.</summary>
    public Task<TokenAnswer> PostAsync(WafApp app, string client = WafApp.Client, string secret = WafApp.ClientSecret) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, Path)
        {
            Content = new FormUrlEncodedContent([.. _parameters, new("client_id", client), new("client_secret", secret)]),
        });

    /// <summary>GET as TS 33.203 X.5.3.2 step 4 has it.</summary>
    public Task<TokenAnswer> GetAsync(WafApp app, string client = WafApp.Client, string secret = WafApp.ClientSecret) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Get, QueryHelpers.AddQueryString(
            Path, [.. _parameters.Select(Nullable), new("client_id", client), new("client_password", secret)])));

    /// <summary>POST without client authentication.</summary>
    public Task<TokenAnswer> PostAsStrangerAsync(WafApp app) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, Path) { Content = new FormUrlEncodedContent(_parameters) });

    /// <summary>Revokes a token, or all, with client_secret_basic (RFC 7009 §2.1).</summary>
    public static Task<TokenAnswer> RevokeAsync(WafApp app, string client, string secret, params (string Name, string Value)[] form) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, RevocationPath)
        {
            Headers = { Authorization = Basic(client, secret) },
            Content = Form(form),
        });

    /// <summary>Revokes a token, or all, with the credentials in the form, or with none.</summary>
    public static Task<TokenAnswer> RevokeAsync(WafApp app, params (string Name, string Value)[] form) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, RevocationPath) { Content = Form(form) });

    /// <summary>Asks about a token with the credentials in the form, or with none.</summary>
    public static Task<TokenAnswer> IntrospectAsync(WafApp app, params (string Name, string Value)[] form) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, IntrospectionPath) { Content = Form(form) });

    /// <summary>Asks about a token with client_secret_basic (RFC 7662 §2.1), or as a stranger.</summary>
    public static Task<TokenAnswer> IntrospectAsync(
        WafApp app, string? client, string? secret, params (string Name, string Value)[] form) =>
        SendAsync(app, new HttpRequestMessage(HttpMethod.Post, IntrospectionPath)
        {
            Headers = { Authorization = client is null ? null : Basic(client, secret!) },
            Content = Form(form),
        });

    /// <summary>Both parts are form-encoded before they are joined.</summary>
    public static AuthenticationHeaderValue Basic(string client, string secret) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{WebUtility.UrlEncode(client)}:{WebUtility.UrlEncode(secret)}")));

    private static KeyValuePair<string, string?> Nullable(KeyValuePair<string, string> pair) => new(pair.Key, pair.Value);

    private static FormUrlEncodedContent Form((string Name, string Value)[] form) =>
        new(form.Select(parameter => KeyValuePair.Create(parameter.Name, parameter.Value)));

    private static async Task<TokenAnswer> SendAsync(WafApp app, HttpRequestMessage request)
    {
        using var _ = request;
        using var client = app.Connect();
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode != HttpStatusCode.InternalServerError, body);
        return new TokenAnswer(
            response.StatusCode, body.Length == 0 ? default : JsonElement.Parse(body),
            response.Headers.Concat(response.Content.Headers)
            .ToDictionary(header => header.Key, header => string.Join(", ", header.Value)));
    }
}

/// <summary>What the WAF answered.</summary>
internal sealed record TokenAnswer(HttpStatusCode Status, JsonElement Body, Dictionary<string, string> Headers)
{
    public string AccessToken => Text("access_token");

    public string Kid => Text("kid");

    public string Key => Text("key");

    public string Error => Text("error");

    public string Description => Text("error_description");

    public TokenAnswer AssertOk()
    {
        Assert.True(Status == HttpStatusCode.OK, $"{Status}: {Body}");
        return this;
    }

    public TokenAnswer AssertError(HttpStatusCode status, string error)
    {
        Assert.Equal((status, error), (Status, Error));
        Assert.False(Body.TryGetProperty("access_token", out var _));
        Assert.Equal("no-store", Headers["Cache-Control"]);
        return this;
    }

    private string Text(string name) => Body.GetProperty(name).GetString()!;
}
