using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;
using WebRtcIms.Waf.OAuth;

namespace WebRtcIms.Waf.Administration;

/// <summary>The operator that sent a request, and from where, for the audit.</summary>
internal sealed record Operator(string Name, string Address)
{
    public static Operator Of(HttpContext context) => context.Features.GetRequiredFeature<Operator>();
}

/// <summary>
/// Separates the port of administration from the public ones. The port is that of the connection, which no header can change. On the
/// public ports <c>/admin</c> does not exist, and on the port of administration there is nothing else.
/// </summary>
internal static class AdminPort
{
    public const string Folder = "/admin";

    // Guesses of tokens are counted under this name. It has a space, which names of clients do not have here.
    private const string Guesses = "operator token";

    /// <summary>Call it before all other middleware.</summary>
    public static void UseAdminPort(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<AdminSettings>();
        var failures = app.Services.GetRequiredService<FailedAuthentications>();
        app.Use(async (context, next) =>
        {
            var isAdmin = settings.Port is { } port && context.Connection.LocalPort == port;
            if (isAdmin != context.Request.Path.StartsWithSegments(Folder)) context.Response.StatusCode = StatusCodes.Status404NotFound;
            else if (isAdmin && Refuse(context, settings, failures) is { } refusal) await refusal.ExecuteAsync(context);
            else await next(context);
        });
    }

    private static IResult? Refuse(HttpContext context, AdminSettings settings, FailedAuthentications failures)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (LocalCaller.IsPage(context)) return Forbid("This is not for pages.");
        var address = CallerAddress.Of(context);
        if (settings.Operators.Count == 0)
        {
            if (!LocalCaller.Is(context)) return Results.NotFound();
            if (!LocalCaller.NamesThisMachine(context)) return Forbid("The Host must be localhost or a loopback address.");
            Admit(context, new Operator("operator", address));
            return null;
        }

        if (failures.Wait(address, Guesses) is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            return Results.Problem("Too many tokens were not valid.", statusCode: StatusCodes.Status429TooManyRequests);
        }

        if (BearerToken.Read(context.Request) is { } token && settings.FindOperator(token) is { } name)
        {
            Admit(context, new Operator($"operator:{name}", address));
            return null;
        }

        failures.Add(address, Guesses);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Results.Problem("The token of an operator is missing or wrong.", statusCode: StatusCodes.Status401Unauthorized);
    }

    private static void Admit(HttpContext context, Operator caller)
    {
        context.Features.Set(caller);
        // Queries are hidden from logs, because clients send secrets in them. Queries of administration have none.
        if (context.Features.Get<HiddenQuery>() is { } query) context.Request.QueryString = new QueryString(query.Text);
    }

    private static IResult Forbid(string reason) => Results.Problem(reason, statusCode: StatusCodes.Status403Forbidden);
}
