using WebRtcIms.ServiceDefaults;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Refuses plain http of other machines, where requests and responses have secrets (RFC 6749 §3.2, RFC 7635 §11).</summary>
internal static class Encryption
{
    /// <param name="app">The service.</param>
    /// <param name="paths">The paths, each with all below it.</param>
    public static void RequireEncryption(this WebApplication app, params PathString[] paths)
    {
        if (TransportEncryption.IsElsewhere(app.Configuration, app.Environment)) return;
        app.Use((context, next) =>
            TransportEncryption.IsProtected(context) || !Array.Exists(paths, path => context.Request.Path.StartsWithSegments(path))
                ? next(context)
                : RefuseAsync(context.Response));
    }

    private static Task RefuseAsync(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status400BadRequest;
        response.Headers.CacheControl = "no-store";
        return response.WriteAsJsonAsync(new Dictionary<string, string>
        {
            [Parameters.Error] = Errors.InvalidRequest,
            [Parameters.ErrorDescription] = "This server needs https.",
        });
    }
}
