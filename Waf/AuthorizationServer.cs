using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.ImsRegistration;
using WebRtcIms.Waf.Introspection;
using WebRtcIms.Waf.Metadata;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Revocation;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf;

/// <summary>OpenIddict's pipeline with our handlers. Each handler defines its place in its <c>Descriptor</c>.</summary>
internal static class AuthorizationServer
{
    /// <summary>The endpoints are below this path.</summary>
    public const string Folder = "/oauth2";

    private const string TokenPath = "oauth2/token";
    private const string RevocationPath = "oauth2/revoke";
    private const string IntrospectionPath = "oauth2/introspect";

    // Handlers of OpenIddict in whose place ours run.
    private static readonly OpenIddictServerHandlerDescriptor[] Replaced =
    [
        OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<ExtractTokenRequestContext>.Descriptor,
        OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<ExtractRevocationRequestContext>.Descriptor,
        OpenIddictServerAspNetCoreHandlers.ProcessJsonResponse<ApplyTokenResponseContext>.Descriptor,
        OpenIddictServerAspNetCoreHandlers.ProcessJsonResponse<ApplyRevocationResponseContext>.Descriptor,
        OpenIddictServerHandlers.Revocation.ValidateTokenParameter.Descriptor,
        OpenIddictServerHandlers.Revocation.ValidateTokenType.Descriptor,
        OpenIddictServerHandlers.Revocation.ValidateAuthorizedParty.Descriptor,
        OpenIddictServerHandlers.Revocation.AttachPrincipal.Descriptor,
        OpenIddictServerHandlers.Revocation.RevokeToken.Descriptor,
        OpenIddictServerAspNetCoreHandlers.ExtractGetOrPostRequest<ExtractIntrospectionRequestContext>.Descriptor,
        OpenIddictServerAspNetCoreHandlers.ProcessJsonResponse<ApplyIntrospectionResponseContext>.Descriptor,
        OpenIddictServerHandlers.Introspection.ValidateTokenType.Descriptor,
        OpenIddictServerHandlers.Introspection.ValidateAuthorizedParty.Descriptor,
        OpenIddictServerHandlers.Introspection.AttachPrincipal.Descriptor,
        OpenIddictServerHandlers.Introspection.AttachMetadataClaims.Descriptor,
        OpenIddictServerHandlers.Introspection.AttachApplicationClaims.Descriptor,
        OpenIddictServerHandlers.ValidateClientCertificate.Descriptor,
        OpenIddictServerHandlers.Discovery.AttachAdditionalMetadata.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] Client =
    [
        ClientHandlers.BoundFailures.Descriptor,
        ClientHandlers.CheckMethod.Descriptor,
        ClientHandlers.ValidateCertificate.Descriptor,
        ClientHandlers.CountFailure<ApplyTokenResponseContext>.Descriptor,
        ClientHandlers.CountFailure<ApplyRevocationResponseContext>.Descriptor,
        ClientHandlers.CountFailure<ApplyIntrospectionResponseContext>.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] ClientThatSigns =
    [
        AssertionHandlers.MarkUnproven.Descriptor,
        AssertionHandlers.SetParameters.Descriptor,
        AssertionHandlers.AcceptOnce.Descriptor,
        AssertionHandlers.RenameError<ApplyTokenResponseContext>.Descriptor,
        AssertionHandlers.RenameError<ApplyRevocationResponseContext>.Descriptor,
        AssertionHandlers.RenameError<ApplyIntrospectionResponseContext>.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] Token =
    [
        TokenHandlers.ExtractRequest.Descriptor,
        ApplyLimits.Descriptor,
        TokenHandlers.ValidateRequest.Descriptor,
        TokenHandlers.AttachClient.Descriptor,
        TokenHandlers.IssueToken.Descriptor,
        TokenHandlers.AddResponseFields.Descriptor,
        CountRejection<ApplyTokenResponseContext>.Descriptor,
        RetryLater.Attach<ApplyTokenResponseContext>.Descriptor,
        WriteResponse<ApplyTokenResponseContext>.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] RegistrationToken =
    [
        RegistrationHandlers.ValidateRequest.Descriptor,
        RegistrationHandlers.IssueToken.Descriptor,
        RegistrationHandlers.AddResponseFields.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] Revocation =
    [
        ExtractForm<ExtractRevocationRequestContext>.Descriptor,
        RevocationHandlers.RevokeTokens.Descriptor,
        CountRejection<ApplyRevocationResponseContext>.Descriptor,
        RetryLater.Attach<ApplyRevocationResponseContext>.Descriptor,
        WriteResponse<ApplyRevocationResponseContext>.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] Introspection =
    [
        ExtractForm<ExtractIntrospectionRequestContext>.Descriptor,
        IntrospectionHandlers.DescribeToken.Descriptor,
        IntrospectionHandlers.RejectOther.Descriptor,
        OpenIddictServerAspNetCoreHandlers.AttachCacheControlHeader<ApplyIntrospectionResponseContext>.Descriptor,
        CountRejection<ApplyIntrospectionResponseContext>.Descriptor,
        RetryLater.Attach<ApplyIntrospectionResponseContext>.Descriptor,
        WriteResponse<ApplyIntrospectionResponseContext>.Descriptor,
    ];

    public static void Configure(OpenIddictServerBuilder server, WafSettings settings, bool hasRedis)
    {
        server.SetTokenEndpointUris(TokenPath)
            .SetConfigurationEndpointUris(".well-known/oauth-authorization-server")
            // There are no public keys: the tokens are for servers that share their keys.
            .SetJsonWebKeySetEndpointUris(Array.Empty<Uri>())
            .AllowClientCredentialsFlow()
            .RegisterScopes([.. Contracts.Scopes.Of(registers: settings.ImsRegistration is not null)])
            .DisableTokenStorage()
            // Our tokens are encrypted with the TURN servers' keys. OpenIddict requires keys of its own, which sign nothing here.
            .AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)))
            .AddEphemeralSigningKey(SecurityAlgorithms.EcdsaSha256);
        if (settings.Issuer is { } issuer) server.SetIssuer(new Uri(issuer));

        // RequireEncryption refuses plain http. OpenIddict would also refuse this machine, and a network that encrypts.
        server.UseAspNetCore().DisableTransportSecurityRequirement();
        foreach (var handler in Replaced) server.RemoveEventHandler(handler);
        server.Add(Client);
        server.Add(Token);
        server.Add([DescribeServer.Descriptor]);
        server.Add(ClientThatSigns);
        if (settings.Issuer is null)
            server.Configure(options => options.ClientAuthenticationMethods.Remove(ClientAuthenticationMethods.PrivateKeyJwt));
        if (settings.MutualTlsAddress is { } address) server.OfferMutualTls(new Uri(address), settings.Issuer!, hasRedis);
        if (settings.ImsRegistration is not null) server.Add(RegistrationToken);
        if (!hasRedis) return;
        server.SetRevocationEndpointUris(RevocationPath).Add(Revocation);
        server.SetIntrospectionEndpointUris(IntrospectionPath).Add(Introspection);
        server.Add([IgnoreToken.Descriptor]);
        if (settings.ImsRegistration is not null) server.Add([IntrospectionHandlers.DescribeRegistrationToken.Descriptor]);
    }

    // The aliases are for an address of its own (RFC 8705 §5).
    private static void OfferMutualTls(this OpenIddictServerBuilder server, Uri address, string issuer, bool hasRedis)
    {
        server.EnableSelfSignedTlsClientAuthentication();
        if (address == new Uri(issuer)) return;
        server.SetMtlsTokenEndpointAliasUri(new Uri(address, TokenPath));
        if (!hasRedis) return;
        server.SetMtlsRevocationEndpointAliasUri(new Uri(address, RevocationPath));
        server.SetMtlsIntrospectionEndpointAliasUri(new Uri(address, IntrospectionPath));
    }

    private static void Add(this OpenIddictServerBuilder server, OpenIddictServerHandlerDescriptor[] handlers)
    {
        foreach (var handler in handlers) server.AddEventHandler(handler);
    }
}
