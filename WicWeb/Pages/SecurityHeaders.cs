namespace WebRtcIms.WicWeb.Pages;

/// <summary>
/// Headers of every response. The page runs only scripts and styles from files of this origin, connects only to this origin, and cannot
/// be framed. Trusted types keep an injected script from writing markup. Only the demo line's page may be in a frame, of this origin.
/// </summary>
internal static class SecurityHeaders
{
    private const string DemoLine = "/demo.html";

    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; " +
        "frame-src 'self'; form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors ";

    private const string PermissionsPolicy =
        "microphone=(self), camera=(self), autoplay=(self), display-capture=(), geolocation=(), payment=(), usb=()";

    public static void UseSecurityHeaders(this WebApplication app) => app.Use((context, next) =>
    {
        context.Response.OnStarting(Write, context);
        return next(context);
    });

    private static Task Write(object state)
    {
        var context = (HttpContext)state;
        var headers = context.Response.Headers;
        var mayBeFramed = context.Request.Path.Value == DemoLine;
        headers.ContentSecurityPolicy = ContentSecurityPolicy + (mayBeFramed ? "'self'" : "'none'");
        headers["Permissions-Policy"] = PermissionsPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = mayBeFramed ? "SAMEORIGIN" : "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        // Sessions and tokens must not be cached, so no-store is the default.
        if (headers.CacheControl.Count == 0) headers.CacheControl = "no-store";
        return Task.CompletedTask;
    }
}
