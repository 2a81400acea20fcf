using Microsoft.AspNetCore.StaticFiles;

namespace WebRtcIms.WicWeb.Pages;

/// <summary>
/// The built page in wwwroot. Files under <c>/assets</c> carry a hash of their content in their name and never change;
/// browsers revalidate every other file, such as <c>index.html</c>, each time and get 304.
/// </summary>
internal static class Page
{
    /// <exception cref="InvalidOperationException">The page is not built.</exception>
    public static void AddPage(this WebApplicationBuilder builder)
    {
        var folder = builder.Environment.WebRootPath ?? Path.Combine(builder.Environment.ContentRootPath, "wwwroot");
        if (!File.Exists(Path.Combine(folder, "index.html")))
        {
            throw new InvalidOperationException(
                $"The page is not in '{folder}'. Build the WicWeb project (it runs npm), and start in its folder or set " +
                $"ASPNETCORE_CONTENTROOT to it.");
        }
    }

    public static void UsePage(this WebApplication app)
    {
        app.UseDefaultFiles();
        app.UseStaticFiles(new StaticFileOptions { OnPrepareResponse = SetCaching });
    }

    private static void SetCaching(StaticFileResponseContext file) =>
        file.Context.Response.Headers.CacheControl = file.Context.Request.Path.StartsWithSegments("/assets")
            ? "public, max-age=31536000, immutable"
            : "no-cache";
}
