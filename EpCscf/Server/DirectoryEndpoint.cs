using System.Text.Json;
using WebRtcIms.EpCscf.Presence;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Server;

/// <summary><c>/directory</c> lists online subscribers to registered pages. A guest of a pool is shown only by its number.</summary>
internal static class DirectoryEndpoint
{
    /// <summary>The rate of an identity allows the next request before.</summary>
    private const string RetryAfterSeconds = "2";

    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static void MapDirectory(this WebApplication app) => app.MapGet("/directory", ListAsync);

    private static async Task<IResult> ListAsync(
        HttpContext context, TokenAuthorization authorization, DirectoryLimit limit, IBindingStore store, BindingNames names,
        OnlineUsers users)
    {
        // The rate comes before everything that asks Redis, and after what a stranger could use up for others.
        if (Bearer.Of(context.Request) is not { } encrypted || authorization.Read(encrypted) is not { } token)
            return SignIn(context);
        var self = names.Subscriber(token.Impi);
        if (!limit.TryAcquire(self))
        {
            context.Response.Headers.RetryAfter = RetryAfterSeconds;
            return Results.Problem("Too many requests. Try again in a few seconds.", statusCode: StatusCodes.Status429TooManyRequests);
        }

        if (!await authorization.CheckAsync(token)) return SignIn(context);
        if (!(await store.FindAsync(self)).Any(binding => binding.SessionId == token.SessionId))
            return Results.Problem("Go online to see who else is.", statusCode: StatusCodes.Status403Forbidden);

        var online = await users.ListAsync();
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new { online = online.Users.Where(entry => entry.Name != self).Select(entry => entry.User) }, SnakeCase);
    }

    private static IResult SignIn(HttpContext context)
    {
        context.Response.Headers.WWWAuthenticate = Bearer.Scheme;
        return Results.Problem("Sign in and go online to see who else is.", statusCode: StatusCodes.Status401Unauthorized);
    }
}
