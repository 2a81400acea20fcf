using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// A WAF at which clients register (RFC 7591, 7592). It accepts only what these documents allow, and only assertions that a registered key
/// signed. A violation of the client is a 400, and is in <see cref="Violations"/>.
/// </summary>
internal sealed class StrictWaf : IAsyncDisposable
{
    public const string InitialAccessToken = "the initial access token of this WWSF";

    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Client> _clients = [];
    private readonly HashSet<string> _usedAssertions = [];
    private readonly Dictionary<string, int> _requests = [];

    private StrictWaf(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    public string Issuer { get; set; } = "https://waf.example.org/";

    public bool AcceptsSigners { get; set; } = true;

    /// <summary>How many clients may be registered.</summary>
    public int UsesLeft { get; set; } = 100;

    /// <summary>Answers each assertion as one that is not valid, as a WAF does whose clock differs.</summary>
    public bool RefusesAssertions { get; set; }

    /// <summary>Registrations are answered after its end.</summary>
    public Task Opening { get; set; } = Task.CompletedTask;

    public bool RefusesUpdates { get; set; }

    /// <summary>Answers the registrations instead, if it returns a status.</summary>
    public Func<HttpContext, int?> BeforeRegistration { get; set; } = _ => null;

    public List<string> Violations { get; } = [];

    /// <summary>Registration access tokens that were given.</summary>
    public List<string> AccessTokens { get; } = [];

    public List<string> ClientIds
    {
        get
        {
            lock (_gate) return [.. _clients.Keys];
        }
    }

    public int Registrations => Count("POST /oauth2/register");

    public int Count(string request)
    {
        lock (_gate) return _requests.GetValueOrDefault(request);
    }

    public static async Task<StrictWaf> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ShareActivitySource();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var app = builder.Build();
        var waf = new StrictWaf(app);
        app.MapGet("/.well-known/oauth-authorization-server", waf.DescribeAsync);
        app.MapPost("/oauth2/register", waf.RegisterAsync);
        app.MapGet("/oauth2/register/{id}", waf.ReadAsync);
        app.MapPut("/oauth2/register/{id}", waf.UpdateAsync);
        app.MapPost("/oauth2/token", waf.IssueAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return waf;
    }

    /// <summary>Loses the store, as after a restore of nothing.</summary>
    public void ForgetClients()
    {
        lock (_gate) _clients.Clear();
    }

    /// <summary>The key ids of the only client, in the order of its JWK Set.</summary>
    public List<string> KeyIds()
    {
        lock (_gate) return [.. _clients.Values.Single().Keys.Select(key => (string)key["kid"]!)];
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private Task DescribeAsync(HttpContext context)
    {
        CountRequest("GET metadata");
        string[] methods = AcceptsSigners ? ["client_secret_basic", "private_key_jwt"] : ["client_secret_basic"];
        return ScriptedWaf.Json(context, 200, JsonSerializer.Serialize(new
        {
            issuer = Issuer,
            token_endpoint_auth_methods_supported = methods,
        }));
    }

    private async Task RegisterAsync(HttpContext context)
    {
        CountRequest("POST /oauth2/register");
        await Opening;
        if (BeforeRegistration(context) is { } status)
        {
            await ScriptedWaf.Json(context, status, "{}");
            return;
        }

        var body = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) as JsonObject;
        (int Status, string Json) answer;
        lock (_gate)
        {
            if (Bearer(context) != InitialAccessToken || UsesLeft == 0) answer = (401, """{"error":"invalid_token"}""");
            else if (Problem(context, body) is { } problem) answer = Violation(problem);
            else
            {
                UsesLeft--;
                var client = new Client($"c{RandomNumberGenerator.GetHexString(8)}", Keys(body!));
                _clients.Add(client.Id, client);
                answer = (201, Describe(client));
            }
        }

        await ScriptedWaf.Json(context, answer.Status, answer.Json);
    }

    private Task ReadAsync(HttpContext context, string id)
    {
        CountRequest("GET /oauth2/register");
        lock (_gate)
        {
            return Find(context, id) is { } client
                ? ScriptedWaf.Json(context, 200, Describe(client, client.AccessToken))
                : ScriptedWaf.Json(context, 401, """{"error":"invalid_token"}""");
        }
    }

    private async Task UpdateAsync(HttpContext context, string id)
    {
        CountRequest("PUT /oauth2/register");
        var body = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) as JsonObject;
        (int Status, string Json) answer;
        lock (_gate)
        {
            if (RefusesUpdates) answer = (503, "{}");
            else if (Find(context, id) is not { } client) answer = (401, """{"error":"invalid_token"}""");
            else if (Problem(context, body) is { } problem) answer = Violation(problem);
            else if ((string?)body!["client_id"] != id) answer = Violation("client_id");
            else
            {
                client.Keys = Keys(body);
                answer = (200, Describe(client));
            }
        }

        await ScriptedWaf.Json(context, answer.Status, answer.Json);
    }

    private async Task IssueAsync(HttpContext context)
    {
        CountRequest("POST /oauth2/token");
        var form = await context.Request.ReadFormAsync();
        lock (_gate)
        {
            if (RefusesAssertions || !_clients.TryGetValue(form["client_id"].ToString(), out var client)
                || !IsSignedBy(client, form["client_assertion"].ToString()))
            {
                context.Response.StatusCode = 401;
            }
        }

        await (context.Response.StatusCode == 401
            ? ScriptedWaf.Json(context, 401, """{"error":"invalid_client"}""")
            : ScriptedWaf.Json(context, 200, form["scope"] == "stun" ? ScriptedWaf.GoodAnswer : ScriptedWaf.RegistrationAnswer(600)));
    }

    private bool IsSignedBy(Client client, string assertion)
    {
        if (assertion.Split('.') is not [var header, var claims, var signature]) return false;
        var kid = JsonElement.Parse(Base64Url.DecodeFromChars(header)).GetProperty("kid").GetString();
        if (client.Keys.Find(key => (string?)key["kid"] == kid) is not { } jwk) return false;
        using var key = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new() { X = Base64Url.DecodeFromChars((string)jwk["x"]!), Y = Base64Url.DecodeFromChars((string)jwk["y"]!) },
        });
        var content = JsonElement.Parse(Base64Url.DecodeFromChars(claims));
        return key.VerifyData(Encoding.ASCII.GetBytes($"{header}.{claims}"), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256)
            && content.GetProperty("iss").GetString() == client.Id && content.GetProperty("sub").GetString() == client.Id
            && content.GetProperty("aud").GetString() == Issuer
            && content.GetProperty("exp").GetInt64() - content.GetProperty("iat").GetInt64() <= 300
            && _usedAssertions.Add(content.GetProperty("jti").GetString()!);
    }

    private static string? Problem(HttpContext context, JsonObject? body)
    {
        if (!context.Request.HasJsonContentType() || body is null) return "the body is not a JSON object";
        if ((string?)body["token_endpoint_auth_method"] != "private_key_jwt") return "token_endpoint_auth_method";
        if (body["grant_types"] is not JsonArray { Count: 1 } grants || (string?)grants[0] != "client_credentials") return "grant_types";
        if (body["client_secret"] is not null || body["registration_access_token"] is not null) return "a field of the server";
        var keys = Keys(body);
        return keys.Count > 0 && keys.All(key => key["d"] is null && (string?)key["crv"] == "P-256" && key["kid"] is not null)
            ? null
            : "jwks";
    }

    private static List<JsonObject> Keys(JsonObject body) => [.. body["jwks"]!["keys"]!.AsArray().Select(key => key!.AsObject())];

    private static string? Bearer(HttpContext context) =>
        context.Request.Headers.Authorization.ToString() is { } header && header.StartsWith("Bearer ", StringComparison.Ordinal)
            ? header["Bearer ".Length..] : null;

    // An answer of the registration has a new token, as that of the WAF has.
    private string Describe(Client client, string? accessToken = null)
    {
        client.AccessToken = accessToken ?? $"registration-access-token-{RandomNumberGenerator.GetHexString(16)}";
        AccessTokens.Add(client.AccessToken);
        return JsonSerializer.Serialize(new
        {
            client_id = client.Id,
            registration_access_token = client.AccessToken,
            // Not an address of this machine: the WWSF knows the address of its WAF.
            registration_client_uri = $"https://public.example.org/oauth2/register/{client.Id}",
            token_endpoint_auth_method = "private_key_jwt",
            scope = "stun ims.register",
        });
    }

    private (int Status, string Json) Violation(string problem)
    {
        Violations.Add(problem);
        return (400, """{"error":"invalid_client_metadata"}""");
    }

    private Client? Find(HttpContext context, string id) =>
        _clients.GetValueOrDefault(id) is { } client && Bearer(context) == client.AccessToken ? client : null;

    private void CountRequest(string request)
    {
        lock (_gate) _requests[request] = _requests.GetValueOrDefault(request) + 1;
    }

    private sealed class Client(string id, List<JsonObject> keys)
    {
        public string Id => id;

        public string AccessToken { get; set; } = "";

        public List<JsonObject> Keys { get; set; } = keys;
    }
}
