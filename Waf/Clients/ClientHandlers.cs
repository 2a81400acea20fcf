using Microsoft.AspNetCore;
using OpenIddict.Abstractions;
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

    /// <summary>Rejects a client that failed too often at this address, also with the right secret (RFC 6585 §4).</summary>
    internal sealed class BoundFailures(FailedAuthentications failures) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseSingletonHandler<BoundFailures>()
            .SetOrder(HashForUnknown.Descriptor.Order - 1)
            .Build();

        public ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (failures.Wait(AddressOf(context), context.Request?.ClientId) is { } wait)
                new RetryLater(StatusCodes.Status429TooManyRequests, wait).Reject(context, "This client failed to authenticate too often.");
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>
    /// Hashes the secret of a client that is unknown or has no secret, so that the response time does not show which clients there are.
    /// </summary>
    internal sealed class HashForUnknown(ClientManager clients)
        : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseScopedHandler<HashForUnknown>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientId.Descriptor.Order - 1)
            .Build();

        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            var (clientId, secret) = (context.Request?.ClientId, context.Request?.ClientSecret);
            if (string.IsNullOrEmpty(clientId) || string.IsNullOrEmpty(secret) || await HasSecretAsync(clientId)) return;
            await clients.HashInVainAsync(secret);
        }

        private async Task<bool> HasSecretAsync(string clientId)
        {
            if (await clients.FindByClientIdAsync(clientId) is not { } application) return false;
            var descriptor = new OpenIddictApplicationDescriptor();
            await clients.PopulateAsync(descriptor, application);
            return descriptor.ClientSecret is not null;
        }
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
            failures.Add(AddressOf(context), context.Transaction.Request?.ClientId);
            response.ErrorDescription = "The client is unknown, or its secret or assertion is wrong or missing.";
            response.ErrorUri = null;
            return ValueTask.CompletedTask;
        }
    }
}
