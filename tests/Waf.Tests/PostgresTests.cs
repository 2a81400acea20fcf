using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The store of clients in a real PostgreSQL.</summary>
public sealed class PostgresTests
{
    [Fact]
    public async Task Clients_AreKeptInPostgres_AndGetTokens_AlsoAfterARestart()
    {
        await using var postgres = await PostgresServer.StartAsync();
        for (var start = 0; start < 2; start++)
        {
            using var app = new WafApp().With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
            (await new TokenRequest().SendAsync(app)).AssertOk();
            Assert.Equal("Healthy", await StoreHealthAsync(app));
            Assert.False(Directory.Exists(app.StoreDirectory), "A SQLite file was made beside PostgreSQL.");
        }
    }

    [Fact]
    public async Task PostgresGone_IsUnhealthy_AndNamesTheSetting()
    {
        await using var postgres = await PostgresServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        (await new TokenRequest().SendAsync(app)).AssertOk();

        await postgres.EndAsync("INT");

        Assert.Equal("Unhealthy: the database (ConnectionStrings:waf) cannot be opened", await StoreHealthAsync(app));
    }

    private static async Task<string?> StoreHealthAsync(WafApp app)
    {
        using var client = app.CreateClient();
        var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("checks")
            .GetProperty("store").GetString();
    }
}
