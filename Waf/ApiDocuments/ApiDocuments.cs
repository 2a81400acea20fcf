using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using WebRtcIms.Waf.Administration;

namespace WebRtcIms.Waf.ApiDocuments;

/// <summary>The OpenAPI documents of the public port and of administration, each on its own port.</summary>
internal static class ApiDocuments
{
    public const string Folder = "/openapi";
    public const string PublicPath = Folder + "/public.json";
    public const string AdminPath = AdminPort.Folder + "/openapi/admin.json";

    private const string Public = "public";
    private const string Admin = "admin";

    public static void AddApiDocuments(this IServiceCollection services)
    {
        services.AddOpenApi(Public, options =>
        {
            options.ShouldInclude = endpoint => !IsOfAdmin(endpoint.RelativePath);
            options.AddDocumentTransformer(Titled("WAF"));
            options.AddDocumentTransformer<OAuthEndpoints>();
        });
        services.AddOpenApi(Admin, options =>
        {
            options.ShouldInclude = endpoint => IsOfAdmin(endpoint.RelativePath);
            options.AddDocumentTransformer(Titled("WAF administration"));
        });
    }

    /// <summary>Call it also without administration: the document is then empty, and no port serves it.</summary>
    public static void MapApiDocuments(this WebApplication app)
    {
        // The pattern names one document, so that no port serves that of the other.
        app.MapOpenApi(Of(PublicPath, Public));
        app.MapOpenApi(Of(AdminPath, Admin));
    }

    private static string Of(string path, string document) =>
        path.Replace($"{document}.json", $"{{documentName:regex(^{document}$)}}.json", StringComparison.Ordinal);

    private static bool IsOfAdmin(string? path) => new PathString($"/{path}").StartsWithSegments(AdminPort.Folder);

    private static Func<OpenApiDocument, OpenApiDocumentTransformerContext, CancellationToken, Task> Titled(string title) =>
        (document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = title, Version = "1" };
            return Task.CompletedTask;
        };
}
