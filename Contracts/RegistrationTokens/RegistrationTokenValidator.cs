namespace WebRtcIms.Contracts.RegistrationTokens;

/// <summary>
/// Checks tokens where they are presented. Several keys are known at a time, so that one can follow another without a gap.
/// </summary>
/// <param name="keys">The keys, told apart by their kid.</param>
/// <param name="issuer">The WAF whose tokens are taken.</param>
/// <param name="audience">Who we are, such as <c>sip:webrtcims.local</c>.</param>
/// <param name="time">The clock.</param>
public sealed class RegistrationTokenValidator(IEnumerable<RegistrationTokenKey> keys, string issuer, string audience, TimeProvider time)
    : IDisposable
{
    /// <summary>By how much the clocks of WAF and eP-CSCF may differ.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, RegistrationTokenKey> _keys = keys.ToDictionary(key => key.Kid);

    /// <summary>The token, when it is <see cref="RegistrationTokenStatus.Valid"/>; null otherwise.</summary>
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
