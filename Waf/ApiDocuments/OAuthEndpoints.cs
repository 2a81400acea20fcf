using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using OpenIddict.Server;

namespace WebRtcIms.Waf.ApiDocuments;

/// <summary>
/// Describes the endpoints of OpenIddict's pipeline, which are not routes, and the security of all endpoints. The addresses are those of
/// OpenIddict's options, so the document has the endpoints that there are.
/// </summary>
internal sealed class OAuthEndpoints(IOptions<OpenIddictServerOptions> options) : IOpenApiDocumentTransformer
{
    private const string ClientSecret = "client_secret_basic";

    private static readonly (string Name, string Description, bool IsRequired)[] TokenFields =
    [
        ("grant_type", "client_credentials", true), ("scope", "stun, or ims.register", true),
        ("aud", "The TURN server (stun)", false), ("alg", "HMAC-SHA-256-128 or HMAC-SHA1 (stun)", false),
        ("impu", "Public user identities, separated by spaces (ims.register)", false),
        ("impi", "The private user identity (ims.register)", false), ("sid", "The pseudonym of the session", false),
        ("guest", "true: the user has not logged in (stun)", false),
        ("lifetime", "a shorter life than usual, in seconds (stun)", false),
    ];

    private static readonly (string Name, string Description, bool IsRequired)[] OneToken = [("token", "The token", true)];

    private static readonly (string Name, string Description, bool IsRequired)[] RevokedTokens =
        [("token", "A TURN token", false), ("all_tokens", "true: all tokens that the client got until now", false)];

    public Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        document.Components.SecuritySchemes[ClientSecret] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "basic",
            Description = "Client id and secret (RFC 6749 §2.3.1). Other methods are in the metadata (RFC 8414).",
        };

        var server = options.Value;
        AddForms(
            document, server.TokenEndpointUris, "Issues a TURN token (RFC 7635) or an IMS registration token.", TokenFields);
        AddForms(document, server.RevocationEndpointUris, "Revokes TURN tokens (RFC 7009).", RevokedTokens);
        AddForms(document, server.IntrospectionEndpointUris, "Describes a token (RFC 7662).", OneToken);
        foreach (var path in PathsOf(server.ConfigurationEndpointUris))
            Add(document, path, HttpMethod.Get, new OpenApiOperation { Summary = "The metadata of this server (RFC 8414)." });
        foreach (var path in PathsOf(server.JsonWebKeySetEndpointUris))
            Add(document, path, HttpMethod.Get, new OpenApiOperation { Summary = "The public keys of this server (RFC 7517)." });
        return Task.CompletedTask;
    }

    private static void AddForms(
        OpenApiDocument document, List<Uri> uris, string summary, (string Name, string Description, bool IsRequired)[] fields)
    {
        foreach (var path in PathsOf(uris))
        {
            Add(document, path, HttpMethod.Post, new OpenApiOperation
            {
                Summary = summary,
                Security = [new() { [new OpenApiSecuritySchemeReference(ClientSecret, document)] = [] }],
                RequestBody = new OpenApiRequestBody
                {
                    Required = true,
                    Content = new Dictionary<string, OpenApiMediaType>
                    {
                        ["application/x-www-form-urlencoded"] = new() { Schema = Form(fields) },
                    },
                },
            });
        }
    }

    private static OpenApiSchema Form((string Name, string Description, bool IsRequired)[] fields) => new()
    {
        Type = JsonSchemaType.Object,
        Required = fields.Where(field => field.IsRequired).Select(field => field.Name).ToHashSet(),
        Properties = fields.ToDictionary(
            field => field.Name,
            IOpenApiSchema (field) => new OpenApiSchema { Type = JsonSchemaType.String, Description = field.Description }),
    };

    private static void Add(OpenApiDocument document, string path, HttpMethod method, OpenApiOperation operation)
    {
        operation.Responses = new OpenApiResponses
        {
            ["200"] = new OpenApiResponse { Description = "OK" },
            ["default"] = new OpenApiResponse { Description = "An error of OAuth 2.0 (RFC 6749 §5.2)" },
        };
        document.Paths[path] = new OpenApiPathItem
        {
            Operations = new Dictionary<HttpMethod, OpenApiOperation> { [method] = operation },
        };
    }

    private static IEnumerable<string> PathsOf(List<Uri> uris) => uris.Select(uri => $"/{uri.OriginalString.TrimStart('/')}");
}
