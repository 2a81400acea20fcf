using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

public sealed class MetadataTests
{
    [Fact]
    [Requirement("RFC8414-3-1")]
    public async Task Metadata_SaysWhatThisServerDoesAndNoMore()
    {
        using var app = new WafApp();

        var document = await GetAsync(app);

        Assert.Equal("http://localhost/", document.GetProperty("issuer").GetString());
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

    internal static async Task<JsonElement> GetAsync(WafApp app)
    {
        using var client = app.Connect();
        return await client.GetFromJsonAsync<JsonElement>(
            new Uri("/.well-known/oauth-authorization-server", UriKind.Relative), TestContext.Current.CancellationToken);
    }

    private static string[] Texts(JsonElement document, string name) =>
        [.. document.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
}
