using WebRtcIms.WicWeb.Connections;

namespace WebRtcIms.WicWeb;

/// <summary>The section <c>WicWeb</c> of the configuration.</summary>
internal sealed class WicWebSettings
{
    /// <summary>One more address of the gateway, on https, such as <c>https://192.168.1.20:8443</c>.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>The certificate and key for <see cref="PublicUrl"/>: a PFX file without a password.</summary>
    public string PublicCertificate { get; init; } = "";

    /// <summary>
    /// The addresses and networks of proxies in front of the gateway, whose X-Forwarded headers are accepted. No others are, not even of
    /// this machine.
    /// </summary>
    public List<string> KnownProxies { get; init; } = [];

    public ConnectionSettings Connections { get; init; } = new();

    /// <exception cref="SettingsException">Settings are wrong. The message lists them all, each with its key.</exception>
    public static WicWebSettings Read(IConfiguration configuration) => SettingsReader.Read<WicWebSettings>(
        configuration, "WicWeb", settings => ServiceDefaults.Admission.KnownProxies.Problems("WicWeb:KnownProxies", settings.KnownProxies));
}
