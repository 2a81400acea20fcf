namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>The settings that name a certificate, its key, and the password of the key.</summary>
/// <param name="Setting">The name of the setting with <paramref name="Path"/>.</param>
/// <param name="Path">A file with the certificate, and perhaps its chain and its key: PEM, DER or PKCS #12.</param>
/// <param name="KeySetting">The name of the setting with <paramref name="KeyPath"/>.</param>
/// <param name="KeyPath">A file with the key; null if it is in the file of the certificate.</param>
/// <param name="PasswordSetting">The name of the setting with the password.</param>
/// <param name="Password">The password of an encrypted key, or of a PKCS #12 file; null for none.</param>
public sealed record CertificateFiles(
    string Setting, string Path, string KeySetting, string? KeyPath, string PasswordSetting, string? Password)
{
    /// <summary>Whether the certificate is for a server; else for a client.</summary>
    public bool IsForServer { get; init; } = true;

    public override string ToString() => Setting;
}
