using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore;
using OpenIddict.Server;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.OAuth;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// OpenIddict authenticates the client of every endpoint. These handlers make it hard to guess: failures are bounded, and an unknown client
/// gets the response that a wrong secret gets, after the same work.
/// </summary>
internal static class ClientHandlers
{
    private static string AddressOf(BaseContext context) => CallerAddress.Of(context.Transaction.GetHttpRequest()!.HttpContext);

    // A certificate only counts where there is nothing else: a client may have one for other purposes. An empty secret is nothing:
    // OpenIddict does not check it.
    private static string MethodOf(ProcessAuthenticationContext context) =>
        context.ClientAssertionPrincipal is not null ? ClientAuthenticationMethods.PrivateKeyJwt
        : string.IsNullOrEmpty(context.Request?.ClientSecret) ? ClientAuthenticationMethods.SelfSignedTlsClientAuth
        : IsBasic(context.Transaction.GetHttpRequest()!) ? ClientAuthenticationMethods.ClientSecretBasic
        : ClientAuthenticationMethods.ClientSecretPost;

    private static bool IsBasic(HttpRequest request) =>
        request.Headers.Authorization.ToString().StartsWith("Basic ", StringComparison.OrdinalIgnoreCase);

    /// <summary>Rejects a client that failed too often at this address, also with the right secret (RFC 6585 §4).</summary>
    internal sealed class BoundFailures(FailedAuthentications failures) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseSingletonHandler<BoundFailures>()
            .SetOrder(AssertionHandlers.MarkUnproven.Descriptor.Order - 1)
            .Build();

        public ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (failures.Wait(AddressOf(context), UnprovenAssertion.ClientOf(context.Transaction)) is { } wait)
                new RetryLater(StatusCodes.Status429TooManyRequests, wait).Reject(context, "This client failed to authenticate too often.");
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>
    /// Rejects a client that is unknown, or that has registered another method (RFC 7591 §2). It hashes a secret, as a wrong secret of a
    /// known client does, so that the response time does not show which clients there are.
    /// </summary>
    internal sealed class CheckMethod(ClientManager clients) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseScopedHandler<CheckMethod>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientId.Descriptor.Order - 1)
            .Build();

        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            // OpenIddict names the parameter that is missing.
            if (context.ClientId is not { Length: > 0 } clientId) return;
            var method = MethodOf(context);
            if (context.Options.ClientAuthenticationMethods.Contains(method)
                && await clients.FindAuthenticationAsync(clientId) is { } client && client.Methods.Contains(method)) return;
            await clients.HashInVainAsync(context.Request?.ClientSecret);
            context.Reject(Errors.InvalidClient);
        }
    }

    /// <summary>
    /// Authenticates a client by its certificate (RFC 8705 §2.2): it must be one of those that are registered for it. OpenIddict's handler
    /// also builds a chain, and rejects other clients for a certificate that they show. This one does neither.
    /// </summary>
    internal sealed class ValidateCertificate(ClientManager clients, TimeProvider time)
        : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseScopedHandler<ValidateCertificate>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientCertificate.Descriptor.Order)
            .Build();

        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (MethodOf(context) != ClientAuthenticationMethods.SelfSignedTlsClientAuth) return;
            if (context.Transaction.RemoteCertificate is { } certificate && IsValid(certificate)
                && await clients.FindAuthenticationAsync(context.ClientId!) is { } client
                && client.Certificates.Contains(ClientCertificate.Hash(certificate))) return;
            await clients.HashInVainAsync();
            context.Reject(Errors.InvalidClient);
        }

        private bool IsValid(X509Certificate2 certificate) =>
            certificate.NotBefore.ToUniversalTime() <= time.GetUtcNow() && time.GetUtcNow() <= certificate.NotAfter.ToUniversalTime();
    }

    /// <summary>Counts a failed authentication, and gives all of them one description.</summary>
    internal sealed class CountFailure<TContext>(FailedAuthentications failures) : IOpenIddictServerHandler<TContext>
        where TContext : BaseRequestContext
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
            .UseSingletonHandler<CountFailure<TContext>>()
            .SetOrder(CountRejection<TContext>.Descriptor.Order - 1)
            .Build();

        public ValueTask HandleAsync(TContext context)
        {
            if (context.Transaction.Response is not { Error: Errors.InvalidClient } response) return ValueTask.CompletedTask;
            failures.Add(AddressOf(context), UnprovenAssertion.ClientOf(context.Transaction));
            response.ErrorDescription = "The client is unknown, or its secret, assertion or certificate is wrong or missing.";
            response.ErrorUri = null;
            return ValueTask.CompletedTask;
        }
    }
}
