using System.Globalization;
using Microsoft.AspNetCore;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using WebRtcIms.ServiceDefaults;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Client authentication is OpenIddict's. These steps keep it from helping someone who guesses: failures are bounded, and
/// an unknown client gets the answer that a wrong secret gets, after the same work.
/// </summary>
internal static class ClientAuthentication
{
    public static void AddClientAuthentication(this OpenIddictServerBuilder server)
    {
        server.AddEventHandler<ProcessAuthenticationContext>(handler => handler
            .UseScopedHandler<BeforeAuthentication>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientId.Descriptor.Order - 500));
        server.AddEventHandler<ApplyTokenResponseContext>(handler => handler.UseScopedHandler<AfterFailure>().SetOrder(int.MinValue));
        server.AddEventHandler<ApplyTokenResponseContext>(handler => handler
            .UseScopedHandler<AnswerTooManyFailures>()
            .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
            .SetOrder(OpenIddictServerAspNetCoreHandlers.AttachHttpResponseCode<ApplyTokenResponseContext>.Descriptor.Order + 500));
    }

    private static string AddressOf(BaseContext context) => CallerAddress.Of(context.Transaction.GetHttpRequest()!.HttpContext);

    internal sealed class BeforeAuthentication(
        FailedAuthentications failures, WafSettings settings, IOpenIddictApplicationManager applications) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            var (clientId, secret) = (context.Request?.ClientId, context.Request?.ClientSecret);
            if (failures.Wait(AddressOf(context), clientId) is not null)
            {
                context.Reject(Errors.TemporarilyUnavailable, "This client failed to authenticate too often.");
                return;
            }

            if (string.IsNullOrEmpty(clientId) || string.IsNullOrEmpty(secret)) return;
            if (await HasSecretAsync(clientId)) return;

            // The time of the answer must not tell that there is no such client: hash the secret for one that there is.
            if (settings.Clients.Find(client => client.Jwks is null) is { } decoy && await applications.FindByClientIdAsync(decoy.ClientId) is { } application)
                await applications.ValidateClientSecretAsync(application, secret);
        }

        private async Task<bool> HasSecretAsync(string clientId)
        {
            if (await applications.FindByClientIdAsync(clientId) is not { } application) return false;
            var descriptor = new OpenIddictApplicationDescriptor();
            await applications.PopulateAsync(descriptor, application);
            return descriptor.ClientSecret is not null;
        }
    }

    internal sealed class AfterFailure(FailedAuthentications failures) : IOpenIddictServerHandler<ApplyTokenResponseContext>
    {
        public ValueTask HandleAsync(ApplyTokenResponseContext context)
        {
            if (context.Error != Errors.InvalidClient) return ValueTask.CompletedTask;
            failures.Add(AddressOf(context), context.Request?.ClientId);
            context.Response.ErrorDescription = "The client is unknown, or its secret or assertion is wrong or missing.";
            context.Response.ErrorUri = null;
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>RFC 6585 §4.</summary>
    internal sealed class AnswerTooManyFailures(FailedAuthentications failures) : IOpenIddictServerHandler<ApplyTokenResponseContext>
    {
        public ValueTask HandleAsync(ApplyTokenResponseContext context)
        {
            if (context.Error != Errors.TemporarilyUnavailable) return ValueTask.CompletedTask;
            var wait = failures.Wait(AddressOf(context), context.Request?.ClientId) ?? TimeSpan.FromSeconds(1);
            var response = context.Transaction.GetHttpRequest()!.HttpContext.Response;
            response.StatusCode = StatusCodes.Status429TooManyRequests;
            response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            return ValueTask.CompletedTask;
        }
    }
}
