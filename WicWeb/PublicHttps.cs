using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb;

/// <summary>
/// Adds <see cref="WicWebSettings.PublicUrl"/> to the addresses of the gateway, for a machine whose own addresses stay as they are, such as
/// a developer's.
/// </summary>
internal static class PublicHttps
{
    /// <exception cref="SettingsException">There is an address, but no usable certificate for it.</exception>
    public static void AddPublicHttps(this WebApplicationBuilder builder, WicWebSettings settings)
    {
        if (settings.PublicUrl.Length == 0) return;
        var certificate = Read(settings.PublicCertificate);
        builder.WebHost.UseUrls($"{builder.Configuration[WebHostDefaults.ServerUrlsKey]};{settings.PublicUrl}");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = certificate));
    }

    private static X509Certificate2 Read(string path)
    {
        try
        {
            return X509CertificateLoader.LoadPkcs12FromFile(path, password: null);
        }
        catch (Exception error) when (error is CryptographicException or IOException or ArgumentException)
        {
            throw SettingsException.Of([$"WicWeb:PublicCertificate must be a PFX file without a password, for WicWeb:PublicUrl; "
                    + $"'{path}' is not: {error.Message}"]);
        }
    }
}
