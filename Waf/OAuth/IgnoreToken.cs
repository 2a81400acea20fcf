using OpenIddict.Server;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>
/// Keeps OpenIddict from validating the parameter 'token' of a revocation or an introspection: it does not know our tokens, and
/// 'all_tokens' comes without one.
/// </summary>
internal sealed class IgnoreToken : IOpenIddictServerHandler<ProcessAuthenticationContext>
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
        .CreateBuilder<ProcessAuthenticationContext>()
        .UseSingletonHandler<IgnoreToken>()
        .SetOrder(OpenIddictServerHandlers.EvaluateValidatedTokens.Descriptor.Order + 1)
        .Build();

    public ValueTask HandleAsync(ProcessAuthenticationContext context)
    {
        if (context.EndpointType is not (OpenIddictServerEndpointType.Revocation or OpenIddictServerEndpointType.Introspection))
            return ValueTask.CompletedTask;
        context.ExtractGenericToken = context.RequireGenericToken = false;
        context.ValidateGenericToken = context.RejectGenericToken = false;
        return ValueTask.CompletedTask;
    }
}
