using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

public sealed class MetadataTests
{
    private static readonly string[] AllMethods =
        ["client_secret_basic", "client_secret_post", "private_key_jwt", "self_signed_tls_client_auth"];

    [Fact]
    [Requirement("RFC8414-3-1")]
    [Requirement("RFC9700-2.6-1")]
    public async Task Metadata_SaysWhatThisServerDoesAndNoMore()
    {
        using var app = new WafApp();

        var document = await GetAsync(app);

        Assert.Equal("http://localhost/", document.GetProperty("issuer").GetString());
        Assert.False(document.TryGetProperty("token_endpoint_auth_signing_alg_values_supported", out _));
        Assert.Equal("http://localhost/oauth2/token", document.GetProperty("token_endpoint").GetString());
        Assert.Equal(["client_credentials"], Texts(document, "grant_types_supported"));
        Assert.Equal(["stun"], Texts(document, "scopes_supported"));
        Assert.Equal(["pop"], Texts(document, "token_types_supported"));
        Assert.Equal(["HMAC-SHA-256-128", "HMAC-SHA1"], Texts(document, "mac_algorithms_supported"));
        Assert.Equal(["client_secret_basic", "client_secret_post"],
            Texts(document, "token_endpoint_auth_methods_supported").Order(StringComparer.Ordinal));
        Assert.DoesNotContain(document.EnumerateObject(), property =>
            property.Name.Contains("id_token", StringComparison.Ordinal) || property.Name is "claims_supported" or "prompt_values_supported"
                or "authorization_endpoint" or "userinfo_endpoint" or "subject_types_supported");
    }

    [Fact]
    [Requirement("RFC8414-2-1")]
    public async Task Endpoints_AreThoseThatAnswer()
    {
        using var app = new WafApp();
        using var client = app.CreateClient();
        var document = await GetAsync(app);

        foreach (var endpoint in document.EnumerateObject()
            .Where(property => property.Name.EndsWith("_endpoint", StringComparison.Ordinal) || property.Name == "jwks_uri"))
        {
            using var answer = await client.PostAsync(new Uri(endpoint.Value.GetString()!), null, TestContext.Current.CancellationToken);
            Assert.NotEqual(HttpStatusCode.NotFound, answer.StatusCode);
        }
    }

    /// <summary>Each method that the document names authenticates, and no other does, at each endpoint.</summary>
    [Theory]
    [InlineData("nothing")]
    [InlineData("issuer")]
    [InlineData("issuer and mutual TLS")]
    [Requirement("RFC8414-2-2")]
    [Requirement("RFC8705-2.2-1")]
    [Requirement("RFC9700-2.5-1")]
    public async Task AnnouncedMethods_AreThoseThatAuthenticate_AtEachEndpoint(string offered)
    {
        await using var redis = await RedisServer.StartAsync();
        using var server = new TestCertificate();
        using var own = new TestCertificate();
        using var app = Configure(offered);
        app.Certificate = own;
        var document = await GetAsync(app);

        foreach (var endpoint in (string[])["token", "revocation", "introspection"])
        {
            var announced = Texts(document, $"{endpoint}_endpoint_auth_methods_supported").Order(StringComparer.Ordinal);
            List<string> working = [];
            foreach (var method in AllMethods)
            {
                var answer = await AskAsync(app, endpoint, method);
                if (answer.Status == HttpStatusCode.OK) working.Add(method);
                else Assert.Equal((HttpStatusCode.Unauthorized, "invalid_client"), (answer.Status, answer.Error));
            }

            Assert.Equal(announced, working);
            var signs = $"{endpoint}_endpoint_auth_signing_alg_values_supported";
            Assert.Equal(announced.Contains("private_key_jwt"), document.TryGetProperty(signs, out var algorithms));
            if (algorithms.ValueKind != JsonValueKind.Undefined) Assert.Contains("ES256", Texts(document, signs));
        }

        Assert.Equal(offered == "issuer and mutual TLS", document.TryGetProperty("mtls_endpoint_aliases", out _));

        WafApp Configure(string offered)
        {
            var app = new WafApp().With("ConnectionStrings:redis", redis.Address)
                // Kestrel accepts certificates in any case.
                .With("Waf:TurnServers:0:CertificateSha256", server.Thumbprint);
            if (offered != "nothing") app.With("Waf:Issuer", WafApp.Issuer);
            if (offered == "issuer and mutual TLS") app.WithMutualTls();
            // The settings are refused for a client whose method the server does not offer. Such clients have a secret here.
            app.With("Waf:Clients:2:ClientId", "signer").With("Waf:Clients:2:Audiences:0", WafApp.TurnServer)
                .With("Waf:Clients:3:ClientId", "holder").With("Waf:Clients:3:Audiences:0", WafApp.TurnServer);
            if (offered == "nothing") app.With("Waf:Clients:2:ClientSecret", "a secret of the signer");
            else app.With("Waf:Clients:2:Jwks", SignedAssertion.PublicKeys);
            if (offered == "issuer and mutual TLS") app.With("Waf:Clients:3:CertificateSha256", own.Thumbprint);
            else app.With("Waf:Clients:3:ClientSecret", "a secret of the holder");
            return app.ListenWithTls(server);
        }
    }

    private static Task<TokenAnswer> AskAsync(WafApp app, string endpoint, string method)
    {
        Dictionary<string, object> claims = new()
        {
            ["iss"] = "signer",
            ["sub"] = "signer",
            ["aud"] = WafApp.Issuer,
            ["jti"] = Guid.NewGuid().ToString(),
            ["exp"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 60,
        };
        (string Name, string Value)[] credentials = method switch
        {
            "client_secret_basic" => [],
            "client_secret_post" => [("client_id", WafApp.Client), ("client_secret", WafApp.ClientSecret)],
            "private_key_jwt" => [("client_assertion_type", SignedAssertion.Type), ("client_assertion", SignedAssertion.Sign(claims))],
            _ => [("client_id", "holder")],
        };
        var isBasic = method == "client_secret_basic";
        if (endpoint == "token")
        {
            var request = new TokenRequest();
            foreach (var (name, value) in credentials) request.And(name, value);
            return isBasic ? request.SendAsync(app) : request.PostAsStrangerAsync(app);
        }

        (string, string)[] form = [.. credentials, ("token", "AAAA")];
        return (endpoint, isBasic) switch
        {
            ("revocation", true) => TokenRequest.RevokeAsync(app, WafApp.Client, WafApp.ClientSecret, form),
            ("revocation", false) => TokenRequest.RevokeAsync(app, form),
            (_, true) => TokenRequest.IntrospectAsync(app, WafApp.Client, WafApp.ClientSecret, form),
            _ => TokenRequest.IntrospectAsync(app, form),
        };
    }

    /// <summary>The whole document. A new member is either described in the README or a left-over of OpenID Connect.</summary>
    [Fact]
    [Requirement("RFC8414-2-1")]
    [Requirement("RFC8705-3.3-1")]
    public async Task Members_AreThese_AndNoOther()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().WithRegistration().WithMutualTls().With("ConnectionStrings:redis", redis.Address);

        var document = await GetAsync(app);

        Assert.Equal(
            [
                "grant_types_supported", "introspection_endpoint", "introspection_endpoint_auth_methods_supported",
                "introspection_endpoint_auth_signing_alg_values_supported", "issuer", "mac_algorithms_supported", "mtls_endpoint_aliases",
                "registration_endpoint", "revocation_endpoint", "revocation_endpoint_auth_methods_supported",
                "revocation_endpoint_auth_signing_alg_values_supported", "scopes_supported", "tls_client_certificate_bound_access_tokens",
                "token_endpoint", "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
                "token_types_supported",
            ],
            document.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
        // A TURN token is bound to its session key, and a registration token to nothing.
        Assert.False(document.GetProperty("tls_client_certificate_bound_access_tokens").GetBoolean());
    }

    /// <summary>The sender of a request chooses its Host.</summary>
    [Fact]
    [Requirement("SEC-22")]
    [Requirement("RFC8414-3-1")]
    public async Task Document_IsTheSame_WhateverHostTheRequestNames()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().WithRegistration().WithMutualTls().With("ConnectionStrings:redis", redis.Address);
        using var client = app.CreateClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/.well-known/oauth-authorization-server");
        request.Headers.Host = "evil.example";
        request.Headers.Add("X-Forwarded-Host", "evil.example");

        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.DoesNotContain("evil.example", text);
        Assert.Equal((await GetAsync(app)).GetRawText(), text);
        var document = JsonElement.Parse(text);
        Assert.Equal("https://waf.example.org/oauth2/token", document.GetProperty("token_endpoint").GetString());
        Assert.Equal("https://waf.example.org/oauth2/revoke", document.GetProperty("revocation_endpoint").GetString());
        Assert.Equal("https://waf.example.org/oauth2/introspect", document.GetProperty("introspection_endpoint").GetString());
    }

    /// <summary>The keys of this server are secret, so there is no document of public keys.</summary>
    [Theory]
    [InlineData("/.well-known/jwks")]
    [InlineData("/.well-known/openid-configuration")]
    [Requirement("SEC-22")]
    public async Task DocumentsOfOpenIdConnect_DoNotExist(string path)
    {
        using var app = new WafApp();
        using var client = app.CreateClient();

        using var response = await client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.False((await GetAsync(app)).TryGetProperty("jwks_uri", out _));
    }

    internal static async Task<JsonElement> GetAsync(WafApp app)
    {
        using var client = app.Connect();
        return await client.GetFromJsonAsync<JsonElement>(
            new Uri("/.well-known/oauth-authorization-server", UriKind.Relative), TestContext.Current.CancellationToken);
    }

    private static string[] Texts(JsonElement document, string name) =>
        [.. document.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
}
