using OpenIddict.Abstractions;
using OpenIddict.Server;
using WebRtcIms.Waf.OAuth;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Clients;

/// <summary>Reads the limits of the authenticated client for the handlers that follow, and bounds its requests.</summary>
internal sealed class ApplyLimits(IOpenIddictApplicationManager applications, ClientRates rates)
    : IOpenIddictServerHandler<ValidateTokenRequestContext>
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
        .CreateBuilder<ValidateTokenRequestContext>()
        .UseScopedHandler<ApplyLimits>()
        .SetOrder(OpenIddictServerHandlers.Exchange.ValidateAuthentication.Descriptor.Order + 1)
        .Build();

    public async ValueTask HandleAsync(ValidateTokenRequestContext context)
    {
        if (context.ClientId is not { } clientId || await applications.FindByClientIdAsync(clientId) is not { } application) return;
        var limits = ClientLimits.Of(await applications.GetPropertiesAsync(application));
        context.Transaction.SetLimits(limits);
        if (limits.RequestsPerMinute is { } perMinute && rates.Add(clientId, perMinute) is { } wait)
            new RetryLater(StatusCodes.Status429TooManyRequests, wait).Reject(context, "This client sent too many requests.");
    }
}
