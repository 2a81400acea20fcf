using OpenIddict.Server;
using WebRtcIms.Waf.Telemetry;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Counts the errors of an endpoint, before OpenIddict changes them.</summary>
internal sealed class CountRejection<TContext>(WafTelemetry telemetry) : IOpenIddictServerHandler<TContext>
    where TContext : BaseRequestContext
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
        .UseSingletonHandler<CountRejection<TContext>>()
        .SetOrder(OpenIddictServerHandlers.Revocation.NormalizeErrorResponse.Descriptor.Order - 1)
        .Build();

    public ValueTask HandleAsync(TContext context)
    {
        if (context.Transaction.Response?.Error is { } error) telemetry.Rejected(error);
        return ValueTask.CompletedTask;
    }
}
