using System.Text.Json;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Metadata;

/// <summary>Makes the metadata document (RFC 8414) describe this server. OpenIddict's own also describes OpenID Connect.</summary>
internal sealed class DescribeServer(IReadOnlyList<InitialAccessTokenSettings> initialAccessTokens)
    : IOpenIddictServerHandler<HandleConfigurationRequestContext>
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
        .CreateBuilder<HandleConfigurationRequestContext>()
        .UseSingletonHandler<DescribeServer>()
        .SetOrder(OpenIddictServerHandlers.Discovery.AttachAdditionalMetadata.Descriptor.Order)
        .Build();

    public ValueTask HandleAsync(HandleConfigurationRequestContext context)
    {
        UseIssuer(context);
        context.Scopes.IntersectWith(Contracts.Scopes.All);
        context.SubjectTypes.Clear();
        context.Claims.Clear();
        context.IdTokenSigningAlgorithms.Clear();
        context.PromptValues.Clear();
        // An empty value removes what OpenIddict writes. This server has no such requests.
        context.Metadata["require_pushed_authorization_requests"] = default;
        var issuesBearer = context.Scopes.Contains(Contracts.Scopes.ImsRegister);
        context.Metadata["token_types_supported"] = List(issuesBearer ? ["pop", "Bearer"] : ["pop"]);
        context.Metadata["mac_algorithms_supported"] = List([MacAlgorithm.Sha256, MacAlgorithm.Sha1]);
        if (context.TokenEndpointAuthenticationMethods.Contains(ClientAuthenticationMethods.PrivateKeyJwt)) DescribeAssertions(context);
        if (initialAccessTokens.Count > 0 && context.Issuer is { } issuer)
            context.Metadata["registration_endpoint"] = $"{issuer.AbsoluteUri.TrimEnd('/')}{RegistrationRoutes.Path}";
        return ValueTask.CompletedTask;
    }

    // OpenIddict takes the addresses from the request, whose sender chooses the Host (RFC 9700 §4.4).
    private static void UseIssuer(HandleConfigurationRequestContext context)
    {
        if (context.Options.Issuer is not { } issuer) return;
        context.TokenEndpoint = At(issuer, context.TokenEndpoint);
        context.RevocationEndpoint = At(issuer, context.RevocationEndpoint);
        context.IntrospectionEndpoint = At(issuer, context.IntrospectionEndpoint);
    }

    private static Uri? At(Uri issuer, Uri? endpoint) =>
        endpoint is null ? null : new Uri(issuer.AbsoluteUri.TrimEnd('/') + endpoint.AbsolutePath);

    // RFC 8414 §2: the algorithms must be there where clients sign.
    private static void DescribeAssertions(HandleConfigurationRequestContext context)
    {
        context.Metadata["token_endpoint_auth_signing_alg_values_supported"] = List(AssertionKeys.Algorithms);
        if (context.RevocationEndpoint is not null)
            context.Metadata["revocation_endpoint_auth_signing_alg_values_supported"] = List(AssertionKeys.Algorithms);
        if (context.IntrospectionEndpoint is not null)
            context.Metadata["introspection_endpoint_auth_signing_alg_values_supported"] = List(AssertionKeys.Algorithms);
    }

    private static OpenIddictParameter List(IReadOnlyList<string> values) => new(JsonSerializer.SerializeToElement(values));
}
