using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Every address that answers GET also answers HEAD (RFC 9110 §9.3.2): routing sees a GET. The server leaves the body out.
/// </summary>
internal sealed class HeadRequests : IStartupFilter
{
    private static readonly object Mark = new();

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => pipeline =>
    {
        pipeline.Use((HttpContext context, RequestDelegate rest) =>
        {
            if (HttpMethods.IsHead(context.Request.Method))
            {
                context.Request.Method = HttpMethods.Get;
                context.Items[Mark] = Mark;
            }

            return rest(context);
        });
        next(pipeline);
    };

    /// <summary>
    /// Restores the method for an endpoint, which may have to know it. Middleware without endpoints serves the GET. Call it before other
    /// middleware, which routing precedes.
    /// </summary>
    public static void RestoreIn(WebApplication app) => app.Use((context, next) =>
    {
        if (context.Items.Remove(Mark) && context.GetEndpoint() is not null) context.Request.Method = HttpMethods.Head;
        return next(context);
    });
}
