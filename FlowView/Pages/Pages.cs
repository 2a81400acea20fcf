using Microsoft.AspNetCore.StaticFiles;

namespace WebRtcIms.FlowView.Pages;

/// <summary>
/// The files of wwwroot under <c>/flow</c>, as they are: modules that a browser runs without a build step. The page runs only
/// scripts and styles that came as files from its own origin, and cannot be framed.
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
            // Links in the page are relative to /flow/. Not an absolute redirect: a gateway may stand before this server.
            if (context.Request.Path != "/flow" && context.Request.Path != "/") return next(context);
            context.Response.Redirect("/flow/");
            return Task.CompletedTask;
        });
        app.UseDefaultFiles(new DefaultFilesOptions { RequestPath = "/flow" });
        app.UseStaticFiles(new StaticFileOptions { RequestPath = "/flow", OnPrepareResponse = AskAgain });
    }

    // The files' names carry no hash: each is asked for again, and answered with 304.
    private static void AskAgain(StaticFileResponseContext file) => file.Context.Response.Headers.CacheControl = "no-cache";
}
