using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;

namespace WebRtcIms.EpCscf.Server;

/// <summary>
/// <c>/sessions</c>, for the WWSF only: whether a session is registered, and its end. The WWSF authenticates with a key that both share.
/// The session is named in the body, so that no URL in a log or a trace has it. A rebound DNS name is refused before this (HostCheck).
/// </summary>
internal static class SessionEndpoints
{
    private const int MaxBodyLength = 1024;

    /// <summary>Without a key there are no such endpoints. That is only possible in Development.</summary>
    public static void MapSessions(this WebApplication app)
    {
        if (app.Services.GetRequiredService<EpCscfSettings>().SessionsKeys.Count == 0) return;
        var limit = new RequestSizeLimitAttribute(MaxBodyLength);
        app.MapPost("/sessions/find", context => HandleAsync(context, FindAsync)).WithMetadata(limit);
        app.MapPost("/sessions/end", context => HandleAsync(context, EndAsync)).WithMetadata(limit);
    }

    // Nothing of the body is read before the caller is known.
    private static async Task HandleAsync(HttpContext context, Func<IServiceProvider, string, Task<IResult>> handle)
    {
        var result = Refuse(context) ?? (await ReadAsync(context.Request) is { } sid
            ? await handle(context.RequestServices, sid)
            : Results.Problem("The body must be a JSON object with sid.", statusCode: StatusCodes.Status400BadRequest));
        await result.ExecuteAsync(context);
    }

    private static IResult? Refuse(HttpContext context)
    {
        if (LocalCaller.IsPage(context)) return Results.Problem("This is not for pages.", statusCode: StatusCodes.Status403Forbidden);
        var keys = context.RequestServices.GetRequiredService<EpCscfSettings>().SessionsKeys;
        if (Bearer.Of(context.Request) is { } key && IsOneOf(keys, key)) return null;
        context.Response.Headers.WWWAuthenticate = Bearer.Scheme;
        return Results.Problem("The key is missing or wrong.", statusCode: StatusCodes.Status401Unauthorized);
    }

    /// <summary>Takes the same time for each key, so that a wrong one tells nothing about the right ones.</summary>
    private static bool IsOneOf(List<Redacted<string>> keys, string key)
    {
        var given = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        var isKnown = false;
        foreach (var known in keys)
            isKnown |= CryptographicOperations.FixedTimeEquals(given, SHA256.HashData(Encoding.UTF8.GetBytes(known.Reveal())));
        return isKnown;
    }

    private static async Task<string?> ReadAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType()) return null;
        try
        {
            return (await request.ReadFromJsonAsync<SessionRequest>(request.HttpContext.RequestAborted))?.Sid is { Length: > 0 } sid ? sid : null;
        }
        catch (Exception error) when (error is JsonException or BadHttpRequestException)
        {
            return null;
        }
    }

    private static async Task<IResult> FindAsync(IServiceProvider services, string sid)
    {
        var bindings = await services.GetRequiredService<IBindingStore>().FindSessionAsync(sid);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var seconds = bindings.Count == 0 ? 0 : (int)bindings.Max(binding => (binding.ExpiresAt - now).TotalSeconds);
        return Results.Json(new { registered = bindings.Count > 0, expires_in = seconds });
    }

    private static async Task<IResult> EndAsync(IServiceProvider services, string sid)
    {
        await services.GetRequiredService<Registrar>().EndSessionAsync(sid);
        return Results.NoContent();
    }

    private sealed record SessionRequest(string? Sid);
}
