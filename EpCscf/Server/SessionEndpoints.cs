using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;

namespace WebRtcIms.EpCscf.Server;

/// <summary>
/// <c>/sessions</c>, for the WWSF only: whether a session is registered, and its end. The WWSF authenticates with a token of the key that
/// both share. The session is named in the body, so that no URL in a log or a trace has it. A rebound DNS name is refused before this
/// (HostCheck).
/// </summary>
internal static class SessionEndpoints
{
    private const int MaxBodyLength = 1024;

    /// <summary>Without a key there are no such endpoints. That is only possible in Development.</summary>
    public static void MapSessions(this WebApplication app)
    {
        if (app.Services.GetRequiredService<EpCscfSettings>().SessionsKeys.Count == 0) return;
        var limit = new RequestSizeLimitAttribute(MaxBodyLength);
        app.MapPost(SessionsToken.FindPath, context => HandleAsync(context, FindAsync)).WithMetadata(limit);
        app.MapPost("/sessions/end", context => HandleAsync(context, EndAsync)).WithMetadata(limit);
    }

    // Nothing of the body is read before the caller is known.
    private static async Task HandleAsync(HttpContext context, Func<IServiceProvider, SessionRequest, Task<IResult>> handle)
    {
        var result = Refuse(context) ?? (await ReadAsync(context.Request) is { } session
            ? await handle(context.RequestServices, session)
            : Results.Problem("The body must be a JSON object with sid.", statusCode: StatusCodes.Status400BadRequest));
        await result.ExecuteAsync(context);
    }

    private static IResult? Refuse(HttpContext context)
    {
        if (LocalCaller.IsPage(context)) return Results.Problem("This is not for pages.", statusCode: StatusCodes.Status403Forbidden);
        var keys = context.RequestServices.GetRequiredService<EpCscfSettings>().SessionsKeys.Select(key => key.Reveal() ?? "");
        var now = context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
        if (Bearer.Of(context.Request) is { } token && SessionsToken.Verify(token, keys, now)) return null;
        context.Response.Headers.WWWAuthenticate = Bearer.Scheme;
        return Results.Problem(
            "The token is missing or wrong, or the clocks of WWSF and eP-CSCF differ.", statusCode: StatusCodes.Status401Unauthorized);
    }

    private static async Task<SessionRequest?> ReadAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType()) return null;
        try
        {
            var body = await request.ReadFromJsonAsync<SessionRequest>(request.HttpContext.RequestAborted);
            return body?.Sid is { Length: > 0 } ? body : null;
        }
        catch (Exception error) when (error is JsonException or BadHttpRequestException)
        {
            return null;
        }
    }

    private static async Task<IResult> FindAsync(IServiceProvider services, SessionRequest session)
    {
        var bindings = await services.GetRequiredService<IBindingStore>().FindSessionAsync(session.Sid!);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var seconds = bindings.Count == 0 ? 0 : (int)bindings.Max(binding => (binding.ExpiresAt - now).TotalSeconds);
        return Results.Json(new { registered = bindings.Count > 0, expires_in = seconds });
    }

    private static async Task<IResult> EndAsync(IServiceProvider services, SessionRequest session)
    {
        await services.GetRequiredService<Registrar>().EndSessionAsync(session.Sid!, session.Until);
        return Results.NoContent();
    }

    /// <param name="Sid">The pseudonym of the session.</param>
    /// <param name="Until">When the last of its tokens has expired. Only the end of a session has it.</param>
    private sealed record SessionRequest(string? Sid, DateTimeOffset? Until);
}
