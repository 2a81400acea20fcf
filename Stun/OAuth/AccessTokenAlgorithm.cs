namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// AEAD algorithms of the access token, named as in RFC 7518 §5.1. A256GCM must be supported by both sides (RFC 7635 §6.2).
/// </summary>
public enum AccessTokenAlgorithm
{
    A256Gcm,
    A128Gcm,
}

/// <summary>Names and key sizes of <see cref="AccessTokenAlgorithm"/>.</summary>
public static class AccessTokenAlgorithms
{
    /// <summary>Reads <c>A256GCM</c> or <c>A128GCM</c>; false for anything else.</summary>
    public static bool TryParse(string? name, out AccessTokenAlgorithm algorithm)
    {
        algorithm = name == "A128GCM" ? AccessTokenAlgorithm.A128Gcm : AccessTokenAlgorithm.A256Gcm;
        return name is "A128GCM" or "A256GCM";
    }

    /// <summary>The RFC 7518 name.</summary>
    public static string Name(this AccessTokenAlgorithm algorithm) =>
        algorithm == AccessTokenAlgorithm.A128Gcm ? "A128GCM" : "A256GCM";

    /// <summary>Octets of the long-term key that the algorithm uses.</summary>
    public static int KeyLength(this AccessTokenAlgorithm algorithm) =>
        algorithm == AccessTokenAlgorithm.A128Gcm ? 16 : 32;
}
