using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebRtcIms.Interop.Tests.Fleet;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>npm's openid-client against a WAF that runs, see <c>OAuthClient/client.js</c>.</summary>
public sealed class OAuthClientTests
{
    private const string TurnServer = "turn.example.org";
    private const string InitialAccessToken = "an initial access token of 43 characters+/";

    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);
    private static readonly string[] Methods =
        ["client_secret_basic", "client_secret_post", "private_key_jwt", "self_signed_tls_client_auth"];

    [Fact]
    [Requirement("RFC8414-3-1")]
    [Requirement("RFC7591-3-1")]
    [Requirement("RFC7591-3.2.1-1")]
    [Requirement("RFC6749-4.4-1")]
    [Requirement("RFC7523-3-1")]
    [Requirement("RFC8705-2.2-1")]
    [Requirement("RFC8705-5-1")]
    [Requirement("RFC7662-2.2-1")]
    [Requirement("RFC7009-2.1-1")]
    public async Task OpenIdClient_DiscoversRegistersAndUsesATurnToken_ByEachMethod()
    {
        var node = Tools.Require("node", "nodejs");
        NpmPackages.Require("OAuthClient", "openid-client");
        await using var redis = await RedisServer.StartAsync();
        using var server = new TestCertificate();
        using var client = new TestCertificate(rsaBits: 3072);
        var (main, mutual) = (FreePorts.Tcp(), FreePorts.Tcp());
        await using var waf = await StartAsync(main, mutual, redis, server);

        var result = await Command.RunAsync(
            node, [NpmPackages.PathOf("OAuthClient", "client.js")], limit: null,
            ("WAF_ISSUER", $"https://localhost:{main}/"), ("WAF_INITIAL_ACCESS_TOKEN", InitialAccessToken),
            ("WAF_AUDIENCE", TurnServer), ("WAF_CERTIFICATE", server.CertificateFile),
            ("CLIENT_CERTIFICATE", client.CertificateFile), ("CLIENT_KEY", client.KeyFile));

        Assert.True(result.ExitCode == 0, result.Output + waf.Output);
        var uses = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToList();
        Assert.Equal(Methods, uses.Select(use => Text(use, "method")));
        Assert.Equal(Methods, uses.Select(use => Text(use, "registered")));
        Assert.Equal(Methods.Length, uses.Select(use => Text(use, "client_id")).Distinct().Count());
        Assert.All(uses, AssertUse);
    }

    private static void AssertUse(JsonElement use)
    {
        var (token, before, after) = (use.GetProperty("token"), use.GetProperty("before"), use.GetProperty("after"));
        using var key = new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, Key);
        Assert.Equal(
            AccessTokenStatus.Valid,
            key.TryDecrypt(Convert.FromBase64String(Text(token, "access_token")), Encoding.UTF8.GetBytes(TurnServer), out var content));
        Assert.Equal(Text(token, "key"), Convert.ToBase64String(content.MacKey));
        Assert.Equal("k1", Text(token, "kid"));

        Assert.True(before.GetProperty("active").GetBoolean());
        Assert.Equal((Text(use, "client_id"), TurnServer), (Text(before, "client_id"), Text(before, "aud")));
        // RFC 7662 §2.2: nothing is said of a token that is not active.
        Assert.Equal("""{"active":false}""", after.GetRawText());

        Assert.Equal("bearer", Text(use, "bearer"));
        Assert.Equal("guest-7@ims.example", Text(use.GetProperty("described"), "sub"));
    }

    private static Task<WafProcess> StartAsync(int main, int mutual, RedisServer redis, TestCertificate certificate) =>
        WafProcess.StartAsync(
            ("ASPNETCORE_URLS", $"https://127.0.0.1:{main};https://127.0.0.1:{mutual}"),
            ("Kestrel__Certificates__Default__Path", certificate.CertificateFile),
            ("Kestrel__Certificates__Default__KeyPath", certificate.KeyFile),
            ("ConnectionStrings__redis", redis.Address),
            ("Waf__Issuer", $"https://localhost:{main}/"),
            ("Waf__MutualTlsAddress", $"https://localhost:{mutual}/"),
            ("Waf__TurnServers__0__Name", TurnServer),
            ("Waf__TurnServers__0__Kid", "k1"),
            ("Waf__Clients__0__Audiences__0", TurnServer),
            ("Waf__TurnServers__0__Key", Convert.ToBase64String(Key)),
            ("Waf__ImsRegistration__Domain", "ims.example"),
            ("Waf__ImsRegistration__Identity", "waf.ims.example"),
            ("Waf__ImsRegistration__Kid", "r1"),
            ("Waf__ImsRegistration__Key", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))),
            ("Waf__InitialAccessTokens__0__Name", "openid-client"),
            ("Waf__InitialAccessTokens__0__Token", InitialAccessToken),
            ("Waf__InitialAccessTokens__0__Uses", $"{Methods.Length}"),
            ("Waf__InitialAccessTokens__0__Audiences__0", TurnServer),
            ("Waf__InitialAccessTokens__0__Impus__0", "sip:guest-*@ims.example"));

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
