using Microsoft.AspNetCore.Server.Kestrel.Https;
using WebRtcIms.ServiceDefaults.Certificates;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb;

/// <summary>
/// Adds <see cref="WicWebSettings.PublicUrl"/> to the addresses of the gateway, for a machine whose own addresses stay as they are, such as
/// a developer's.
/// </summary>
internal static class PublicHttps
{
    public static void AddPublicHttps(this WebApplicationBuilder builder, WicWebSettings settings)
    {
        if (settings.PublicCertificateFiles is not { } files) return;
        builder.WebHost.UseUrls($"{builder.Configuration[WebHostDefaults.ServerUrlsKey]};{settings.PublicUrl}");
        CertificateWatch.AddTo(builder.Services);
        builder.Services.AddOptions<HttpsConnectionAdapterOptions>()
            .Configure<CertificateWatch>((https, watch) => https.Use(watch.Watch(files)));
    }
}
