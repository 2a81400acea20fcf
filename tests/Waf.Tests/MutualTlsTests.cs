using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>Clients that authenticate by mutual TLS (RFC 8705 §2.2), on Kestrel: TLS ends in the WAF.</summary>
public sealed class MutualTlsTests(MutualTlsTests.Certificates certificates) : IClassFixture<MutualTlsTests.Certificates>
{
    private const string Holder = "holder";

    private readonly TestCertificate _server = certificates.Server;
    private readonly TestCertificate _own = certificates.Own;
    private readonly TestCertificate _other = certificates.Other;
    private readonly HashCount _hashes = new();
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    [Requirement("RFC8705-2-1")]
    [Requirement("RFC8705-2.2-1")]
    public async Task CertificateOfTheSettings_AuthenticatesTheClient_AtEachEndpoint()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = App().With("ConnectionStrings:redis", redis.Address).ListenWithTls(_server);
        app.Certificate = _own;

        var token = (await AskAsync(app, Holder)).AssertOk();
        WafApp.Decrypt(token.Kid, token.AccessToken, WafApp.TurnServer);
        (string, string)[] form = [("client_id", Holder), ("token", token.AccessToken)];
        Assert.True(IsActive((await TokenRequest.IntrospectAsync(app, form)).AssertOk()));
        (await TokenRequest.RevokeAsync(app, form)).AssertOk();
        Assert.False(IsActive((await TokenRequest.IntrospectAsync(app, form)).AssertOk()));
    }

    [Fact]
    [Requirement("RFC8705-2.2-1")]
    [Requirement("RFC8705-2.2-2")]
    [Requirement("RFC8705-2-2")]
    [Requirement("ABUSE-85")]
    public async Task AnotherCertificateOrNoneOrNoClient_OneAnswer_AfterTheSameWork_AtEachEndpoint()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = App().With("ConnectionStrings:redis", redis.Address).WithServices(_hashes.AddTo).ListenWithTls(_server);
        app.Certificate = _own;
        (await AskAsync(app, Holder)).AssertOk();
        TokenAnswer? first = null;
        foreach (var (certificate, clientId) in (IEnumerable<(TestCertificate?, string)>)
            [(_other, Holder), (_own, "nobody"), (_own, WafApp.Client), (_other, "nobody"), (_other, "signer"), (_own, "signer")])
        {
            app.Certificate = certificate;
            foreach (var path in (string[])[TokenRequest.Path, TokenRequest.RevocationPath, TokenRequest.IntrospectionPath])
            {
                _hashes.Count = 0;
                var answer = await SendAsync(app, path, clientId);
                answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client");
                first ??= answer;
                Assert.Equal(first.Body.ToString(), answer.Body.ToString());
                Assert.True(_hashes.Count == 1, $"{path}, {clientId}: {_hashes.Count} hashes");
            }
        }

        // Without a certificate there is nothing to check, whatever the client.
        app.Certificate = null;
        Assert.Equal(
            (await AskAsync(app, Holder)).AssertError(HttpStatusCode.BadRequest, "invalid_request").Body.ToString(),
            (await AskAsync(app, "nobody")).Body.ToString());
    }

    [Fact]
    [Requirement("RFC8705-2.2-1")]
    public async Task CertificateOutsideItsTime_IsRefused()
    {
        // Before the start: a running service has timers, and each of their ticks takes its time.
        using var own = Load(_own);
        _time.SetUtcNow(own.NotAfter - TimeSpan.FromMinutes(1));
        using var app = App().ListenWithTls(_server);
        app.Certificate = _own;
        (await AskAsync(app, Holder)).AssertOk();

        _time.Advance(TimeSpan.FromMinutes(2));

        (await AskAsync(app, Holder)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("RFC8705-2-2")]
    public async Task CertificateWithoutAClientId_IsNotAuthentication()
    {
        using var app = App().ListenWithTls(_server);
        app.Certificate = _own;

        (await new TokenRequest().PostAsStrangerAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_request");
    }

    /// <summary>OpenIddict would not check an empty secret where there is a certificate.</summary>
    [Theory]
    [InlineData("client_secret")]
    [InlineData("client_assertion")]
    [Requirement("RFC8705-2.2-1")]
    public async Task EmptyCredential_WithACertificate_DoesNotAuthenticateAnotherClient(string parameter)
    {
        using var app = App().ListenWithTls(_server);
        app.Certificate = _own;
        foreach (var clientId in (string[])[WafApp.Client, "signer", "nobody"])
        {
            var answer = await new TokenRequest().And("client_id", clientId).And(parameter, "").PostAsStrangerAsync(app);
            answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        }
    }

    [Fact]
    [Requirement("RFC8705-2.2-1")]
    public async Task ClientWithASecretOrKey_MayShowAnyCertificate_AndAClientWithACertificateNeedsIt()
    {
        using var app = App().ListenWithTls(_server);
        app.Certificate = _other;

        (await new TokenRequest().SendAsync(app)).AssertOk();
        (await new TokenRequest().SendAsync(app, Holder, "a secret that it does not have"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        app.Certificate = _own;
        (await new TokenRequest().SendAsync(app, secret: "not-the-secret-of-it"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await new TokenRequest().SendAsync(app, Holder, "a secret that it does not have"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("RFC8705-2.2.2-1")]
    [Requirement("RFC7591-2-1")]
    public async Task RegisteredCertificates_AuthenticateTheClient_AndAnUpdateReplacesThem(bool isRsa)
    {
        using var app = new WafApp().WithRegistration().WithMutualTls().ListenWithTls(_server);
        using var created = isRsa ? Load(_own) : CreateEc();
        var client = (await RegisterAsync(app, Metadata(Jwk(created)))).Assert(HttpStatusCode.Created);
        Assert.False(client.Has("client_secret"));
        Assert.Equal("self_signed_tls_client_auth", client.Text("token_endpoint_auth_method"));
        Assert.Equal(
            Convert.ToBase64String(created.RawData),
            client.Body.GetProperty("jwks").GetProperty("keys")[0].GetProperty("x5c")[0].GetString());
        if (!isRsa) return;
        app.Certificate = _own;
        (await AskAsync(app, client.ClientId)).AssertOk();

        using var next = Load(_other);
        (await UpdateAsync(app, client.ClientId, client.AccessToken, Metadata(Jwk(next)))).Assert(HttpStatusCode.OK);

        (await AskAsync(app, client.ClientId)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        app.Certificate = _other;
        (await AskAsync(app, client.ClientId)).AssertOk();
    }

    [Fact]
    [Requirement("RFC8705-2.2.2-1")]
    public async Task KeyWithoutItsCertificate_IsNotRegistered()
    {
        using var app = new WafApp().WithRegistration().WithMutualTls();
        using var own = Load(_own);
        using var other = Load(_other);
        using var curve = CreateEc();
        var foreign = Jwk(own);
        foreign["x5c"] = new JsonArray(Convert.ToBase64String(other.RawData));
        var otherKind = Jwk(own);
        otherKind["x5c"] = new JsonArray(Convert.ToBase64String(curve.RawData));
        var without = Jwk(own);
        without.Remove("x5c");
        var garbage = Jwk(own);
        garbage["x5c"] = new JsonArray("AAAA");

        foreach (var key in (JsonObject[])[foreign, otherKind, without, garbage])
        {
            var answer = (await RegisterAsync(app, Metadata(key))).Assert(HttpStatusCode.BadRequest);
            Assert.StartsWith("jwks ", answer.Text("error_description"));
        }
    }

    /// <summary>A proxy that ends TLS may forward certificates in headers. Callers could write such headers themselves.</summary>
    [Theory]
    [InlineData("X-Client-Cert")]
    [InlineData("X-ARR-ClientCert")]
    [InlineData("X-SSL-CERT")]
    [InlineData("Client-Cert")]
    [Requirement("RFC9700-4.13-1")]
    public async Task CertificateInAHeader_IsNotOne(string header)
    {
        using var app = App().ListenWithTls(_server);
        using var own = Load(_own);
        using var client = app.Connect();
        client.DefaultRequestHeaders.Add(header, Convert.ToBase64String(own.RawData));
        using var form = new FormUrlEncodedContent(
            [new("grant_type", "client_credentials"), new("client_id", Holder), new("scope", "stun"), new("aud", WafApp.TurnServer)]);

        using var answer = await client.PostAsync(
            new Uri(TokenRequest.Path, UriKind.Relative), form, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    [Requirement("RFC8705-2-1")]
    public async Task CertificateThatIsForKeysOnly_DoesNotAuthenticateAClient_WhereMutualTlsIsNotOffered()
    {
        // Kestrel accepts certificates here: a TURN server fetches its key with one.
        using var app = new WafApp().WithRegistration().With("Waf:TurnServers:0:CertificateSha256", _other.Thumbprint)
            .ListenWithTls(_server);
        app.Certificate = _own;
        using var own = Load(_own);

        Assert.StartsWith(
            "token_endpoint_auth_method ",
            (await RegisterAsync(app, Metadata(Jwk(own)))).Assert(HttpStatusCode.BadRequest).Text("error_description"));
        foreach (var clientId in (string[])[WafApp.Client, "nobody"])
            (await AskAsync(app, clientId)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("RFC8705-5-1")]
    public async Task Aliases_AreThere_WhereTheAddressIsAnother()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = App().With("ConnectionStrings:redis", redis.Address).ListenWithTls(_server);
        using var same = App().With("Waf:MutualTlsAddress", WafApp.Issuer);
        using var withoutRedis = App();

        var aliases = (await MetadataTests.GetAsync(app)).GetProperty("mtls_endpoint_aliases");

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["token_endpoint"] = "https://mtls.waf.example.org/oauth2/token",
                ["revocation_endpoint"] = "https://mtls.waf.example.org/oauth2/revoke",
                ["introspection_endpoint"] = "https://mtls.waf.example.org/oauth2/introspect",
            },
            aliases.EnumerateObject().ToDictionary(alias => alias.Name, alias => alias.Value.GetString()!));
        Assert.False((await MetadataTests.GetAsync(same)).TryGetProperty("mtls_endpoint_aliases", out _));
        Assert.Equal("token_endpoint",
            Assert.Single((await MetadataTests.GetAsync(withoutRedis)).GetProperty("mtls_endpoint_aliases").EnumerateObject()).Name);
    }

    // The settings have colons, as openssl writes them.
    private WafApp App() => new WafApp { Time = _time }.WithMutualTls()
        .With("Waf:Clients:2:ClientId", Holder)
        .With("Waf:Clients:2:CertificateSha256", string.Join(':', _own.Thumbprint.Chunk(2).Select(digits => new string(digits))))
        .With("Waf:Clients:2:Audiences:0", WafApp.TurnServer)
        .With("Waf:Clients:3:ClientId", "signer")
        .With("Waf:Clients:3:Jwks", SignedAssertion.PublicKeys)
        .With("Waf:Clients:3:Audiences:0", WafApp.TurnServer);

    private static Task<TokenAnswer> AskAsync(WafApp app, string clientId) =>
        new TokenRequest().And("client_id", clientId).PostAsStrangerAsync(app);

    private static Task<TokenAnswer> SendAsync(WafApp app, string path, string clientId) => path switch
    {
        TokenRequest.Path => AskAsync(app, clientId),
        TokenRequest.RevocationPath => TokenRequest.RevokeAsync(app, ("client_id", clientId), ("token", "AAAA")),
        _ => TokenRequest.IntrospectAsync(app, ("client_id", clientId), ("token", "AAAA")),
    };

    private static bool IsActive(TokenAnswer answer) => answer.Body.GetProperty("active").GetBoolean();

    private static X509Certificate2 Load(TestCertificate files) => X509Certificate2.CreateFromPemFile(files.CertificateFile, files.KeyFile);

    private static X509Certificate2 CreateEc()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        return new CertificateRequest("CN=wwsf", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddHours(-1), now.AddDays(1));
    }

    private static JsonObject Metadata(JsonObject key) => new()
    {
        ["token_endpoint_auth_method"] = "self_signed_tls_client_auth",
        ["jwks"] = new JsonObject { ["keys"] = new JsonArray(key) },
    };

    private static JsonObject Jwk(X509Certificate2 certificate)
    {
        using var rsa = certificate.GetRSAPublicKey();
        using var ec = certificate.GetECDsaPublicKey();
        var key = rsa is not null
            ? Microsoft.IdentityModel.Tokens.JsonWebKeyConverter.ConvertFromRSASecurityKey(new(rsa.ExportParameters(false)))
            : Microsoft.IdentityModel.Tokens.JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new(ec));
        var members = rsa is not null
            ? new JsonObject { ["kty"] = "RSA", ["n"] = key.N, ["e"] = key.E }
            : new JsonObject { ["kty"] = "EC", ["crv"] = key.Crv, ["x"] = key.X, ["y"] = key.Y };
        members["x5c"] = new JsonArray(Convert.ToBase64String(certificate.RawData));
        return members;
    }

    /// <summary>For all tests of the class: an RSA key takes long to make.</summary>
    public sealed class Certificates : IDisposable
    {
        internal TestCertificate Server { get; } = new();

        internal TestCertificate Own { get; } = new(rsaBits: 3072);

        internal TestCertificate Other { get; } = new(rsaBits: 3072);

        public void Dispose()
        {
            Server.Dispose();
            Own.Dispose();
            Other.Dispose();
        }
    }
}
