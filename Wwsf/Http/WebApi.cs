using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Http;

/// <summary>The rules for every request: forwarded headers, size limits, no caching, problem details, counters.</summary>
internal static class WebApi
{
    // The largest request is a login: user name and password.
    private const int MaxRequestBodyBytes = 16 * 1024;

    public static void AddWebApi(this WebApplicationBuilder builder, WwsfSettings settings)
    {
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = MaxRequestBodyBytes);
        builder.Services.AddSingleton<WwsfTelemetry>();
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails += Complete);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        // In Development, a body that is not JSON would otherwise cause an exception and the status 500.
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = false);
        KnownProxies.AddTo(builder.Services, settings.KnownProxies);
    }

    public static void UseWebApi(this WebApplication app)
    {
        KnownProxies.UseIn(app, "Wwsf:KnownProxies");
        app.UseCookiePrefixes();
        app.Use(CountOutcome);
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use((context, next) =>
        {
            context.Response.OnStarting(ForbidStoring, context);
            return next(context);
        });
    }

    private static Task ForbidStoring(object state)
    {
        var headers = ((HttpContext)state).Response.Headers;
        if (headers.CacheControl.Count == 0) headers.CacheControl = "no-store";
        return Task.CompletedTask;
    }

    private static Task CountOutcome(HttpContext context, RequestDelegate next)
    {
        // The exception handler clears the endpoint, so read it now. Count before the response is sent: a client that has the
        // response can rely on the count.
        if (context.GetEndpoint() is RouteEndpoint endpoint && endpoint.Metadata.GetMetadata<Counted>() is { } counted)
        {
            var path = $"{context.Request.Method} {endpoint.RoutePattern.RawText}";
            context.Response.OnStarting(() =>
            {
                var status = context.Response.StatusCode;
                var problem = context.Features.Get<Problem>() ?? (status < 400 ? null : Problem.OfStatus(status));
                counted.Count(context.RequestServices.GetRequiredService<WwsfTelemetry>(), problem?.Code ?? "ok");
                if (problem is not null) counted.LogRefusal?.Invoke(context, path, problem);
                return Task.CompletedTask;
            });
        }

        return next(context);
    }

    private static void Complete(ProblemDetailsContext context)
    {
        var members = context.ProblemDetails.Extensions;
        var general = Problem.OfStatus(context.ProblemDetails.Status ?? 500);
        if (members.TryAdd("code", general.Code))
            (context.ProblemDetails.Title, context.ProblemDetails.Detail) = (general.Title, general.Detail);
    }
}
