using System.Security.Cryptography;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>For private_key_jwt (RFC 7523): the issuer name of the WAF, and the key of this client.</summary>
internal sealed record WafSigningSettings(string Issuer, ECDsa Key)
{
    public const string KeyFile = "Wwsf:Waf:KeyFile";

    public static WafSigningSettings? Read(SettingsReader reader)
    {
        if (reader.Optional(KeyFile) is not { } file) return null;
        if (reader.Optional("Wwsf:Waf:ClientSecret") is not null) reader.Problem("Wwsf:Waf:ClientSecret", $"and {KeyFile} exclude each other");
        var issuer = reader.Text("Wwsf:Waf:Issuer");
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(file));
            if (key.KeySize == 256 && key.ExportParameters(includePrivateParameters: true).D is not null) return new(issuer, key);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or CryptographicException)
        {
            // The message of the exception could quote the key.
        }

        reader.Problem(KeyFile, $"'{file}' is not a file with an EC private key (P-256) in PEM");
        return null;
    }
}
