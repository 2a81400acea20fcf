using System.Net;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The OpenAPI documents: each is valid, and has the routes that its port has.</summary>
public sealed class ApiDocumentTests
{
    private const string PublicPath = "/openapi/public.json";
    private const string AdminPath = "/admin/openapi/admin.json";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PublicDocument_HasTheRoutesOfThePublicPort(bool hasRedis)
    {
        await using var redis = hasRedis ? await RedisServer.StartAsync() : null;
        var app = new WafApp();
        if (redis is not null) app.With("ConnectionStrings:redis", redis.Address);
        using var admin = new Administration(app);

        var document = await ReadAsync(app.Address, PublicPath);

        List<string> expected =
        [
            "get /.well-known/oauth-authorization-server", "post /oauth2/token",
            .. hasRedis ? (string[])["post /oauth2/introspect", "post /oauth2/revoke"] : [],
            .. RoutesOf(app).Where(route => !route.Contains(" /admin/", StringComparison.Ordinal)),
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), Describe(document));
        Assert.Contains("post /oauth2/register", expected);
        foreach (var path in document.Paths.Keys.Where(path => !path.Contains('{', StringComparison.Ordinal)))
            Assert.NotEqual((path, HttpStatusCode.NotFound), (path, await StatusAsync(app.Address, path)));
        Assert.Contains("client_secret_basic", document.Components!.SecuritySchemes!.Keys);
    }

    [Fact]
    public async Task AdminDocument_HasTheRoutesOfTheAdminPort()
    {
        using var admin = new Administration(new WafApp());

        var document = await ReadAsync(admin.Address, AdminPath);

        Assert.Equal(
            [
                "delete /admin/clients/{clientId}", "delete /admin/initial-access-tokens/{name}", "get /admin/audit", "get /admin/clients",
                "get /admin/clients/{clientId}", "get /admin/initial-access-tokens", "get /admin/keys",
                "post /admin/initial-access-tokens", "post /admin/keys/rotations", "post /admin/revocations",
            ],
            Describe(document));
        Assert.Equal(
            RoutesOf(admin.App).Where(route => route.Contains(" /admin/", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
            Describe(document));
        Assert.All(
            document.Paths.Values.SelectMany(path => path.Operations!.Values),
            operation => Assert.False(string.IsNullOrEmpty(operation.Summary)));
        var revocation = document.Components!.Schemas!["RevocationRequest"];
        Assert.Equal(
            ["all", "client_id", "kid", "session", "token", "token_id"], revocation.Properties!.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task EachDocument_IsOnlyOnItsPort()
    {
        using var admin = new Administration(new WafApp());
        foreach (var name in (string[])["public", "admin"])
        {
            foreach (var folder in (string[])["/openapi", "/admin/openapi"])
            {
                var path = $"{folder}/{name}.json";
                Assert.Equal(
                    (path, path == PublicPath ? HttpStatusCode.OK : HttpStatusCode.NotFound),
                    (path, await StatusAsync(admin.App.Address, path)));
                Assert.Equal(
                    (path, path == AdminPath ? HttpStatusCode.OK : HttpStatusCode.NotFound),
                    (path, await StatusAsync(admin.Address, path)));
            }
        }
    }

    private static async Task<OpenApiDocument> ReadAsync(Uri server, string path)
    {
        using var client = new HttpClient();
        var text = await client.GetStringAsync(new Uri(server, path), Cancel);
        var (document, diagnostic) = OpenApiDocument.Parse(text, OpenApiConstants.Json);
        Assert.Empty(diagnostic!.Errors);
        Assert.Empty(diagnostic.Warnings);
        return document!;
    }

    private static async Task<HttpStatusCode> StatusAsync(Uri server, string path)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(server, path), Cancel);
        return response.StatusCode;
    }

    private static IEnumerable<string> Describe(OpenApiDocument document) => document.Paths
        .SelectMany(path => path.Value.Operations!.Keys.Select(method => $"{method.Method.ToLowerInvariant()} {path.Key}"))
        .Order(StringComparer.Ordinal);

    // Health and the documents themselves are not described.
    private static IEnumerable<string> RoutesOf(WafApp app) =>
        from endpoint in app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        where endpoint.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>() is not { ExcludeFromDescription: true }
        from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []
        select $"{method.ToLowerInvariant()} {endpoint.RoutePattern.RawText}";
}
