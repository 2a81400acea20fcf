using System.Text.Json;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Server;

/// <summary>A subscriber that can be called now.</summary>
internal sealed record OnlineUser(string Impu, string DisplayName);

/// <summary>
/// <c>/directory</c> lists online subscribers to registered pages. <c>/sessions</c> tells the WWSF whether a session is registered, and
/// ends it. A guest of a pool is shown only by its number.
/// </summary>
internal static class DirectoryEndpoints
{
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static void MapDirectory(this WebApplication app)
    {
        app.MapGet("/directory", ListAsync);
        app.MapGet("/sessions/{sid}", FindSessionAsync);
        app.MapDelete("/sessions/{sid}", async (string sid, Registrar registrar) =>
        {
            await registrar.EndSessionAsync(sid);
            return Results.NoContent();
        });
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, TokenAuthorization authorization, IBindingStore store, BindingNames names, CoreModel core)
    {
        const string scheme = "Bearer ";
        var header = context.Request.Headers.Authorization.ToString();
        var token = header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? await authorization.CheckAsync(header[scheme.Length..].Trim()) : null;
        if (token is null)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return Results.Problem("Sign in and go online to see who else is.", statusCode: StatusCodes.Status401Unauthorized);
        }

        var self = names.Subscriber(token.Impi);
        if (!(await store.FindAsync(self)).Any(binding => binding.SessionId == token.SessionId))
            return Results.Problem("Go online to see who else is.", statusCode: StatusCodes.Status403Forbidden);

        var all = core.Subscribers.ToDictionary(subscriber => names.Subscriber(subscriber.Impi));
        var online = await store.OnlineAsync(all.Keys);
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new
        {
            online = online.Where(name => name != self).Select(name => Describe(all[name]))
                .OrderBy(user => user.DisplayName, StringComparer.OrdinalIgnoreCase),
        }, SnakeCase);
    }

    private static async Task<IResult> FindSessionAsync(string sid, IBindingStore store, TimeProvider time)
    {
        var bindings = await store.FindSessionAsync(sid);
        var seconds = bindings.Count == 0 ? 0 : (int)bindings.Max(binding => (binding.ExpiresAt - time.GetUtcNow()).TotalSeconds);
        return Results.Json(new { registered = bindings.Count > 0, expires_in = seconds });
    }

    private static OnlineUser Describe(Subscriber subscriber) =>
        new(subscriber.Impus[0], subscriber.DisplayName.Length > 0 ? subscriber.DisplayName : subscriber.Impus[0]);
}
