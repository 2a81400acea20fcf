using WebRtcIms.Contracts;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.ImsRegistration;

/// <summary>The section <c>Waf:ImsRegistration</c>. Without it the WAF does not issue registration tokens.</summary>
internal sealed class RegistrationSettings
{
    /// <summary>The home domain whose eP-CSCF accepts the tokens.</summary>
    public string Domain { get; set; } = "";

    /// <summary>This WAF's identity (claims <c>iss</c> and <c>3gpp-waf</c>).</summary>
    public string Identity { get; set; } = "";

    /// <summary>The name of <see cref="Key"/>, or the prefix of the names of the keys in the store. Their default is Domain.</summary>
    public string Kid { get; set; } = "";

    /// <summary>
    /// Base64 of 32 octets, shared only with the eP-CSCF. Without it there is a ring of keys in the store, which the eP-CSCF fetches.
    /// </summary>
    public string Key { get; set; } = "";

    /// <summary>How long a key of the ring is current.</summary>
    public TimeSpan KeyRotation { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How long the eP-CSCF has a key of the ring before tokens are issued with it.</summary>
    public TimeSpan KeyLeadTime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>SHA-256 of the certificate, in hexadecimal, with which the eP-CSCF fetches the keys.</summary>
    public string? CertificateSha256 { get; set; }

    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The audience of the tokens: the home domain.</summary>
    public string Audience => $"sip:{Domain}";

    public byte[]? Thumbprint => TurnServerSettings.ReadThumbprint(CertificateSha256);

    public bool HasRing => Key.Length == 0;

    /// <summary>The prefix of a ring, or the name of the static key.</summary>
    public string KidOrPrefix => HasRing && Kid.Length == 0 ? Domain : Kid;

    public RingSettings ToRing() => new(Domain, KidOrPrefix, AccessTokenAlgorithm.A256Gcm, TokenLifetime)
    {
        IsIms = true,
        Interval = KeyRotation,
        LeadTime = KeyLeadTime,
        StaticKey = HasRing ? null : Convert.FromBase64String(Key),
        Thumbprint = Thumbprint,
    };

    public IEnumerable<string> Problems(List<TurnServerSettings> turnServers)
    {
        if (Domain.Length == 0) yield return "Domain is missing";
        if (Identity.Length == 0) yield return "Identity is missing";
        if (HasRing)
        {
            foreach (var ringProblem in RingSettings.Problems(KidOrPrefix, nameof(Domain), KeyRotation, KeyLeadTime))
                yield return ringProblem;
            if (turnServers.Exists(server => server.Name == Domain)) yield return "Domain is the Name of a TURN server: give a Key";
        }
        else if (RegistrationTokenKey.Problem(Kid, Key) is { } problem) yield return problem;
        else if (turnServers.Exists(server => server.Key == Key))
            yield return "Key must not be that of a TURN server, which could then make registration tokens";
        if (TokenLifetime < TokenLimits.ShortestLifetime || TokenLifetime > TokenLimits.LongestLifetime)
            yield return $"TokenLifetime must be a time from {TokenLimits.ShortestLifetime:c} to {TokenLimits.LongestLifetime:c}";
        if (CertificateSha256 is not null && Thumbprint is null) yield return "CertificateSha256 must be 64 hexadecimal digits";
    }
}
