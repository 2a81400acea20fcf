using System.Text.Json.Serialization;

namespace WebRtcIms.Contracts.RegistrationTokens;

/// <summary>
/// What an IMS registration token says: the WAF lets a WIC, known to a WWSF by a session, register these identities
/// (3GPP TS 33.203 Annex X.3 and X.4; claims <c>3gpp-waf</c> and <c>3gpp-wwsf</c> of TS 24.229 §7.13).
/// Its text is <c>***</c>, because the identities may be those of a person.
/// </summary>
public sealed record RegistrationToken
{
    /// <summary>The WAF that made it.</summary>
    [JsonPropertyName("iss")]
    public required string Issuer { get; init; }

    /// <summary>The home domain it is for, as a URI such as <c>sip:webrtcims.local</c>.</summary>
    [JsonPropertyName("aud")]
    public required string Audience { get; init; }

    /// <summary>The private user identity (IMPI), such as <c>alice@webrtcims.local</c>.</summary>
    [JsonPropertyName("sub")]
    public required string Impi { get; init; }

    /// <summary>The public user identities (IMPU) that may be registered with it; the first is the default one.</summary>
    [JsonPropertyName("impu")]
    public required IReadOnlyList<string> Impus { get; init; }

    /// <summary>Identity of the WAF that vouches for the WWSF.</summary>
    [JsonPropertyName("3gpp-waf")]
    public required string Waf { get; init; }

    /// <summary>Identity of the WWSF that vouches for the user.</summary>
    [JsonPropertyName("3gpp-wwsf")]
    public required string Wwsf { get; init; }

    /// <summary>The OAuth client that got the token; null when it has the name of the WWSF.</summary>
    [JsonPropertyName("client_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ClientId { get; init; }

    /// <summary>Seconds since 1970.</summary>
    [JsonPropertyName("iat")]
    public required long IssuedAt { get; init; }

    /// <summary>Seconds since 1970. The token is not valid from then on.</summary>
    [JsonPropertyName("exp")]
    public required long ExpiresAt { get; init; }

    /// <summary>The random id of this token.</summary>
    [JsonPropertyName("jti")]
    public required string TokenId { get; init; }

    /// <summary>Pseudonym of the session at the WWSF.</summary>
    [JsonPropertyName("sid")]
    public required string SessionId { get; init; }

    /// <summary>The name of the key that encrypts it. It is in the header, not among the claims.</summary>
    [JsonIgnore]
    public string Kid { get; init; } = "";

    public override string ToString() => "***";
}

/// <summary>The result of a check. Every value but <see cref="Valid"/> refuses the token.</summary>
public enum RegistrationTokenStatus
{
    Valid,

    /// <summary>The text is not a JWE as the WAF writes it.</summary>
    Malformed,

    /// <summary>Encrypted with a key that is not known here.</summary>
    UnknownKey,

    /// <summary>The authentication tag is wrong: the token was changed, or made without the key.</summary>
    Forged,

    WrongIssuer,

    WrongAudience,

    /// <summary>The time of issue is in the future by more than the clock tolerance.</summary>
    NotYetValid,

    Expired,
}
