using OpenIddict.Server;
using WebRtcIms.Waf.Telemetry;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Counts and logs the errors of an endpoint, before OpenIddict changes them.</summary>
internal sealed partial class CountRejection<TContext>(WafTelemetry telemetry, ILogger<CountRejection<TContext>> logger)
    : IOpenIddictServerHandler<TContext>
    where TContext : BaseRequestContext
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
        .UseSingletonHandler<CountRejection<TContext>>()
        .SetOrder(OpenIddictServerHandlers.Revocation.NormalizeErrorResponse.Descriptor.Order - 1)
        .Build();

    public ValueTask HandleAsync(TContext context)
    {
        if (context.Transaction.Response?.Error is not { } error) return ValueTask.CompletedTask;
        telemetry.Rejected(error);
        LogRejected(context.Transaction.EndpointType, error);
        return ValueTask.CompletedTask;
    }

    // A description may repeat what the client sent.
    [LoggerMessage(1, LogLevel.Information, "A request to the {Endpoint} endpoint was refused: {Error}")]
    private partial void LogRejected(OpenIddictServerEndpointType endpoint, string error);
}
