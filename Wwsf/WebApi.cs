using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.HttpOverrides;

namespace WebRtcIms.Wwsf;

/// <summary>What holds for every request: whose address counts, what is never cached, how failures look, what is counted.</summary>
internal static class WebApi
{
    // The largest request is a log-in: user name and password.
    private const int MaxRequestBodyBytes = 16 * 1024;

    public static void AddWebApi(this WebApplicationBuilder builder, WwsfSettings settings)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxRequestBodyBytes;
        });
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton<WwsfMetrics>();
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = Complete);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        // In Development a body that is no JSON would otherwise be an exception, and so a 500.
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = false);
        builder.Services.Configure<ForwardedHeadersOptions>(options =>
        {
            // The host that the browser sees: passkeys belong to it.
            options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
            foreach (var network in settings.KnownProxies) options.KnownIPNetworks.Add(network);
        });
    }

    public static void UseWebApi(this WebApplication app)
    {
        app.UseForwardedHeaders();
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
        // Taken now: the exception handler takes the endpoint away. And counted before the answer leaves, not after: whoever has it
        // finds it counted.
        if (context.GetEndpoint()?.Metadata.GetMetadata<Counted>() is { } counted)
        {
            context.Response.OnStarting(() =>
            {
                var status = context.Response.StatusCode;
                var problem = context.Features.Get<Problem>() ?? (status < 400 ? null : Problem.OfStatus(status));
                counted.Count(context.RequestServices.GetRequiredService<WwsfMetrics>(), problem?.Code ?? "ok");
                return Task.CompletedTask;
            });
        }

        return next(context);
    }

    private static void Complete(ProblemDetailsContext context)
    {
        var members = context.ProblemDetails.Extensions;
        var general = Problem.OfStatus(context.ProblemDetails.Status ?? 500);
        if (members.TryAdd("code", general.Code)) (context.ProblemDetails.Title, context.ProblemDetails.Detail) = (general.Title, general.Detail);
        // Only the trace id helps whoever reports a problem, and every member's name is in snake_case.
        members.Remove("traceId");
        if (Activity.Current is { } activity) members["trace_id"] = activity.TraceId.ToHexString();
    }
}
