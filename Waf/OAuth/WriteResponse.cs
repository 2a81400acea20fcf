using Microsoft.AspNetCore;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Writes the response as JSON. OpenIddict's own handler would also log it, with the session key of a token.</summary>
internal sealed class WriteResponse<TContext> : IOpenIddictServerHandler<TContext>
    where TContext : BaseRequestContext
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
        .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
        .UseSingletonHandler<WriteResponse<TContext>>()
        .SetOrder(OpenIddictServerAspNetCoreHandlers.ProcessJsonResponse<TContext>.Descriptor.Order)
        .Build();

    public async ValueTask HandleAsync(TContext context)
    {
        var response = context.Transaction.GetHttpRequest()!.HttpContext.Response;
        // OpenIddict answers 400, which RFC 9110 §15.5.6 has another status for.
        if (response.Headers.Allow.Count > 0) response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        // A successful revocation has no content (RFC 7009 §2.2).
        if (context.Transaction.Response is { Count: > 0 } content) await response.WriteAsJsonAsync(content);
        context.HandleRequest();
    }
}
