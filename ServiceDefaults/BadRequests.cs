using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Routing;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The answer to a request that cannot be read, and to one that fails: a status and problem details. Without it ASP.NET Core's
/// developer page would answer in Development, with the request's headers and so with HttpOnly cookies that scripts can then read.
/// </summary>
internal sealed class BadRequests : IExceptionHandler
{
    public static void AddTo(IServiceCollection services)
    {
        services.AddProblemDetails(options => options.CustomizeProblemDetails += NameTrace);
        services.AddExceptionHandler<BadRequests>();
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = false);
    }

    // The operator needs only the trace id, and the names of members are in snake_case.
    private static void NameTrace(ProblemDetailsContext context)
    {
        var members = context.ProblemDetails.Extensions;
        members.Remove("traceId");
        if (Activity.Current is { } activity) members["trace_id"] = activity.TraceId.ToHexString();
    }

    /// <summary>A client's mistake is not an error of the server, so it is not logged as one.</summary>
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not BadHttpRequestException unreadable) return false;
        await Results.Problem(statusCode: unreadable.StatusCode).ExecuteAsync(httpContext).ConfigureAwait(false);
        return true;
    }
}
