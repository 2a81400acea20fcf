using System.Globalization;
using Microsoft.AspNetCore;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>A rejection that ends by itself: its status, and the time of its Retry-After.</summary>
internal sealed record RetryLater(int Status, TimeSpan Wait)
{
    private static readonly string Property = typeof(RetryLater).FullName!;

    public void Reject(BaseValidatingContext context, string description)
    {
        context.Transaction.SetProperty(Property, this);
        context.Reject(Errors.TemporarilyUnavailable, description);
    }

    /// <summary>Writes status and Retry-After of such a rejection.</summary>
    internal sealed class Attach<TContext> : IOpenIddictServerHandler<TContext>
        where TContext : BaseRequestContext
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
            .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
            .UseSingletonHandler<Attach<TContext>>()
            .SetOrder(OpenIddictServerAspNetCoreHandlers.AttachHttpResponseCode<TContext>.Descriptor.Order + 1)
            .Build();

        public ValueTask HandleAsync(TContext context)
        {
            if (context.Transaction.GetProperty<RetryLater>(Property) is not { } retry) return ValueTask.CompletedTask;
            var response = context.Transaction.GetHttpRequest()!.HttpContext.Response;
            response.StatusCode = retry.Status;
            response.Headers.RetryAfter = Math.Ceiling(retry.Wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            return ValueTask.CompletedTask;
        }
    }
}
