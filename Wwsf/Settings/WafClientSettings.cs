namespace WebRtcIms.Wwsf.Settings;

/// <summary>How this client authenticates at the WAF: with a secret, or with a key and the issuer name of the WAF.</summary>
internal sealed class WafClientSettings
{
    [Required(ErrorMessage = "{0} is missing")]
    public string ClientId { get; set; } = "wwsf";

    /// <summary>Null if this client signs its requests.</summary>
    public Redacted<string>? ClientSecret { get; set; }

    public string? KeyFile { get; set; }

    public string? Issuer { get; set; }

    /// <summary>Null if this client has a secret.</summary>
    public WafSigning? Signing { get; private set; }

    /// <summary>Loads the key, if there is one, and returns the problems.</summary>
    public IEnumerable<string> Complete()
    {
        var hasSecret = !string.IsNullOrWhiteSpace(ClientSecret?.Reveal());
        if (string.IsNullOrWhiteSpace(KeyFile))
        {
            if (!hasSecret) yield return "Wwsf:Waf:ClientSecret is missing";
            yield break;
        }

        if (hasSecret) yield return "Wwsf:Waf:ClientSecret and Wwsf:Waf:KeyFile exclude each other";
        if (string.IsNullOrWhiteSpace(Issuer)) yield return "Wwsf:Waf:Issuer is missing";
        if (LoadKey(KeyFile) is { } key) Signing = new(Issuer ?? "", key);
        else yield return $"Wwsf:Waf:KeyFile '{KeyFile}' is not a file with an EC private key (P-256) in PEM";
    }

    private static ECDsa? LoadKey(string file)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(file));
            return key.KeySize == 256 && key.ExportParameters(includePrivateParameters: true).D is not null ? key : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or CryptographicException)
        {
            // The message of the exception could quote the key.
            return null;
        }
    }
}

/// <summary>For private_key_jwt (RFC 7523): the issuer name of the WAF, and the key of this client.</summary>
internal sealed record WafSigning(string Issuer, ECDsa Key);
