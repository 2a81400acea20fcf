namespace WebRtcIms.Contracts.RegistrationTokens;

/// <summary>
/// Checks the tokens that clients present. It knows several keys at a time, so that keys roll over without a gap.
/// </summary>
/// <param name="find">Finds a key by its kid; null for an unknown one.</param>
/// <param name="issuer">The WAF whose tokens are valid here.</param>
/// <param name="audience">The audience of tokens for this server, such as <c>sip:webrtcims.local</c>.</param>
/// <param name="time">The time.</param>
public sealed class RegistrationTokenValidator(Func<string, RegistrationTokenKey?> find, string issuer, string audience, TimeProvider time)
{
    /// <summary>A validator with fixed keys, each with a different kid.</summary>
    public RegistrationTokenValidator(IEnumerable<RegistrationTokenKey> keys, string issuer, string audience, TimeProvider time)
        : this(keys.ToDictionary(key => key.Kid).GetValueOrDefault, issuer, audience, time)
    {
    }

    /// <summary>The largest difference between the clocks of WAF and eP-CSCF.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(5);

    /// <summary>Decrypts and checks a token. The token is null unless the result is <see cref="RegistrationTokenStatus.Valid"/>.</summary>
    public RegistrationTokenStatus Validate(string encrypted, out RegistrationToken? token)
    {
        token = null;
        if (CompactJwe.Parse(encrypted) is not { } jwe) return RegistrationTokenStatus.Malformed;
        if (find(jwe.Header.Kid) is not { } key) return RegistrationTokenStatus.UnknownKey;

        var status = key.Decrypt(jwe, out var decrypted);
        if (status == RegistrationTokenStatus.Valid) status = Check(decrypted!);
        if (status == RegistrationTokenStatus.Valid) token = decrypted! with { Kid = jwe.Header.Kid };
        return status;
    }

    private RegistrationTokenStatus Check(RegistrationToken token)
    {
        if (token.Issuer != issuer) return RegistrationTokenStatus.WrongIssuer;
        if (token.Audience != audience) return RegistrationTokenStatus.WrongAudience;
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        if (token.IssuedAt > now + (long)ClockTolerance.TotalSeconds) return RegistrationTokenStatus.NotYetValid;
        return token.ExpiresAt > now ? RegistrationTokenStatus.Valid : RegistrationTokenStatus.Expired;
    }
}
