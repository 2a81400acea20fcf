using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Waf.Clients;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>Token requests read clients from memory for a second. Changes of clients must not wait longer than that.</summary>
public sealed class ClientCacheTests
{
    [Fact]
    public async Task ClientDeleted_IsUnknownAtOnce_AndAtOtherReplicasAfterTheLifetimeOfTheCache()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WafApp { Time = time }.WithRegistration();
        using var replica = new WafApp { Time = time }.WithRegistration()
            .With("ConnectionStrings:waf", $"Data Source={app.StoreDirectory}/waf.db");
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
        (await RequestAsync(app, client)).AssertOk();
        (await RequestAsync(replica, client)).AssertOk();

        (await DeleteAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.NoContent);
        (await RequestAsync(app, client)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        time.Advance(ClientCache.Lifetime);

        (await RequestAsync(replica, client)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    public async Task ClientUpdated_ItsOldSecretIsRefusedAtOnce()
    {
        using var app = new WafApp().WithRegistration();
        var client = (await RegisterAsync(app)).Assert(HttpStatusCode.Created);
        (await RequestAsync(app, client)).AssertOk();

        (await UpdateAsync(app, client.ClientId, client.AccessToken, new JsonObject
        {
            ["token_endpoint_auth_method"] = "private_key_jwt",
            ["jwks"] = JsonNode.Parse(SignedAssertion.PublicKeys),
        })).Assert(HttpStatusCode.OK);

        (await RequestAsync(app, client)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    private static Task<TokenAnswer> RequestAsync(WafApp app, RegistrationAnswer client) =>
        new TokenRequest().SendAsync(app, client.ClientId, client.Secret);
}
