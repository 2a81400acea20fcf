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
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] Client =
    [
        ClientHandlers.BoundFailures.Descriptor,
        ClientHandlers.HashForUnknown.Descriptor,
        ClientHandlers.CountFailure<ApplyTokenResponseContext>.Descriptor,
        ClientHandlers.CountFailure<ApplyRevocationResponseContext>.Descriptor,
        ClientHandlers.CountFailure<ApplyIntrospectionResponseContext>.Descriptor,
    ];

    private static readonly OpenIddictServerHandlerDescriptor[] ClientThatSigns =
    [
        AssertionHandlers.MarkUnproven.Descriptor,
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
        IntrospectionHandlers.DescribeRegistrationToken.Descriptor,
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
        server.SetTokenEndpointUris("oauth2/token")
            .SetConfigurationEndpointUris(".well-known/oauth-authorization-server")
            .AllowClientCredentialsFlow()
            .RegisterScopes([.. Contracts.Scopes.Of(registers: settings.ImsRegistration is not null)])
            .DisableTokenStorage()
            // Our tokens are encrypted with the TURN servers' keys. OpenIddict requires keys of its own, which sign nothing here.
            .AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)))
            .AddEphemeralSigningKey(SecurityAlgorithms.EcdsaSha256);
        if (settings.Issuer is { } issuer) server.SetIssuer(new Uri(issuer));

        // In a deployment TLS ends before this process; RFC 7635 §11 requires it up to there.
        server.UseAspNetCore().DisableTransportSecurityRequirement();
        foreach (var handler in Replaced) server.RemoveEventHandler(handler);
        server.Add(Client);
        server.Add(Token);
        server.Add([DescribeServer.Descriptor]);
        if (settings.Issuer is not null) server.Add(ClientThatSigns);
        else server.Configure(options => options.ClientAuthenticationMethods.Remove(ClientAuthenticationMethods.PrivateKeyJwt));
        if (settings.ImsRegistration is not null) server.Add(RegistrationToken);
        if (!hasRedis) return;
        server.SetRevocationEndpointUris("oauth2/revoke").Add(Revocation);
        server.SetIntrospectionEndpointUris("oauth2/introspect").Add(Introspection);
        server.Add([IgnoreToken.Descriptor]);
    }

    private static void Add(this OpenIddictServerBuilder server, OpenIddictServerHandlerDescriptor[] handlers)
    {
        foreach (var handler in handlers) server.AddEventHandler(handler);
    }
}
