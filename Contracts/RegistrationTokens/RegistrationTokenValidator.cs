namespace WebRtcIms.Contracts.RegistrationTokens;

/// <summary>
/// Checks the tokens that clients present. It knows several keys at a time, so that keys roll over without a gap.
/// </summary>
/// <param name="keys">The keys, each with a different kid.</param>
/// <param name="issuer">The WAF whose tokens are valid here.</param>
/// <param name="audience">The audience of tokens for this server, such as <c>sip:webrtcims.local</c>.</param>
/// <param name="time">The time.</param>
public sealed class RegistrationTokenValidator(IEnumerable<RegistrationTokenKey> keys, string issuer, string audience, TimeProvider time)
    : IDisposable
{
    /// <summary>The largest difference between the clocks of WAF and eP-CSCF.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, RegistrationTokenKey> _keys = keys.ToDictionary(key => key.Kid);

    /// <summary>Decrypts and checks a token. The token is null unless the result is <see cref="RegistrationTokenStatus.Valid"/>.</summary>
    public RegistrationTokenStatus Validate(string encrypted, out RegistrationToken? token)
    {
        token = null;
        if (CompactJwe.Parse(encrypted) is not { } jwe) return RegistrationTokenStatus.Malformed;
        if (!_keys.TryGetValue(jwe.Header.Kid, out var key)) return RegistrationTokenStatus.UnknownKey;

        var status = key.Decrypt(jwe, out var decrypted);
        if (status == RegistrationTokenStatus.Valid) status = Check(decrypted!);
        if (status == RegistrationTokenStatus.Valid) token = decrypted;
        return status;
    }

    public void Dispose()
    {
        foreach (var key in _keys.Values) key.Dispose();
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
