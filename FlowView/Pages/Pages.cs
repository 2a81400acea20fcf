using Microsoft.AspNetCore.StaticFiles;

namespace WebRtcIms.FlowView.Pages;

/// <summary>
/// Serves the files of wwwroot under <c>/flow</c>: modules that a browser runs without a build step. The page runs only scripts and
/// styles from files of its own origin, and cannot be framed.
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
        app.UseStaticFiles(new StaticFileOptions { RequestPath = "/flow", OnPrepareResponse = AskAgain });
    }

    // File names have no hash. So browsers ask again each time and get 304.
    private static void AskAgain(StaticFileResponseContext file) => file.Context.Response.Headers.CacheControl = "no-cache";
}
