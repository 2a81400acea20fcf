using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.WicWeb;

/// <summary>
/// One more address of the gateway, on https: <c>WicWeb:PublicUrl</c>, with the certificate and key of
/// <c>WicWeb:PublicCertificate</c>, a PFX file without a password. For a machine whose own addresses stay as they are, as a developer's.
/// </summary>
internal static class PublicHttps
{
    private const string Url = "WicWeb:PublicUrl";
    private const string Certificate = "WicWeb:PublicCertificate";

    /// <exception cref="InvalidOperationException">There is an address and no certificate that can be used for it.</exception>
    public static void AddPublicHttps(this WebApplicationBuilder builder)
    {
        if (builder.Configuration[Url] is not { Length: > 0 } url) return;
        var certificate = Read(builder.Configuration[Certificate]);
        builder.WebHost.UseUrls($"{builder.Configuration[WebHostDefaults.ServerUrlsKey]};{url}");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = certificate));
    }

    private static X509Certificate2 Read(string? path)
    {
        try
        {
            return X509CertificateLoader.LoadPkcs12FromFile(path ?? "", password: null);
        }
        catch (Exception error) when (error is CryptographicException or IOException or ArgumentException)
        {
            throw new InvalidOperationException($"{Certificate} must be a PFX file without a password, for {Url}; '{path}' is not: {error.Message}", error);
        }
    }
}
