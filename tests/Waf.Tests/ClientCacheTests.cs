using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;
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

    /// <summary>If only unknown names were looked up each time, the response time would show which clients there are.</summary>
    [Fact]
    [Requirement("ABUSE-85")]
    public async Task UnknownClient_IsReadFromMemoryAsOftenAsAKnownOne_AndRegisteredClientsAtOnce()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WafApp { Time = time }.WithAllLogs().WithRegistration();
        foreach (var name in (string[])[WafApp.OtherClient, "nobody"])
        {
            await AskAsync();
            var before = Lookups();
            await AskAsync();
            Assert.Equal(before, Lookups());
            time.Advance(ClientCache.Lifetime);
            await AskAsync();
            Assert.Equal(before + 1, Lookups());

            async Task AskAsync() => (await new TokenRequest().SendAsync(app, name, "not-the-secret-of-it"))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        }

        int Lookups() => app.Logs.Records.Count(record =>
            record.Contains("Executed DbCommand", StringComparison.Ordinal)
            && record.Contains("FROM \"OpenIddictApplications\"", StringComparison.Ordinal));
    }

    private static Task<TokenAnswer> RequestAsync(WafApp app, RegistrationAnswer client) =>
        new TokenRequest().SendAsync(app, client.ClientId, client.Secret);
}
