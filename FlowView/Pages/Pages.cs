using Microsoft.AspNetCore.StaticFiles;

namespace WebRtcIms.FlowView.Pages;

/// <summary>
/// Serves the built page in wwwroot under <c>/flow</c>. The page runs only scripts and styles from files of its own origin, and cannot
/// be framed.
/// </summary>
internal static class Pages
{
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; " +
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    public static void UsePages(this WebApplication app)
    {
        app.Use((context, next) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = ContentSecurityPolicy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers.CacheControl = "no-store";
            // Links in the page are relative to /flow/. The redirect is relative, because a gateway may be in front of this server.
            if (context.Request.Path != "/flow" && context.Request.Path != "/") return next(context);
            context.Response.Redirect("/flow/");
            return Task.CompletedTask;
        });
        app.UseDefaultFiles(new DefaultFilesOptions { RequestPath = "/flow" });
        app.UseStaticFiles(new StaticFileOptions { RequestPath = "/flow", OnPrepareResponse = SetCaching });
    }

    // Files under assets have a hash in their name and never change.
    private static void SetCaching(StaticFileResponseContext file) =>
        file.Context.Response.Headers.CacheControl = file.Context.Request.Path.StartsWithSegments("/flow/assets") ? "public, max-age=31536000, immutable" : "no-cache";
}
