namespace WebRtcIms.WicWeb;

/// <summary>The section <c>WicWeb</c> of the configuration.</summary>
internal sealed class WicWebSettings
{
    /// <summary>One more address of the gateway, on https, such as <c>https://192.168.1.20:8443</c>.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>The certificate and key for <see cref="PublicUrl"/>: a PFX file without a password.</summary>
    public string PublicCertificate { get; init; } = "";

    /// <exception cref="SettingsException">Settings are wrong. The message lists them all, each with its key.</exception>
    public static WicWebSettings Read(IConfiguration configuration) => SettingsReader.Read<WicWebSettings>(configuration, "WicWeb");
}
