using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>
/// Permission to register clients (RFC 7591 §3). It is written into the store once: a restart does not refill its uses, and later changes
/// need a new token.
/// </summary>
internal sealed class InitialAccessTokenSettings
{
    public const int MaxNameLength = 100;
    private const int MinTokenLength = 32;

    /// <summary>The audit names the token by it.</summary>
    public string Name { get; set; } = "";

    public Redacted<string> Token { get; set; } = new("");

    /// <summary>How many clients may be registered with it.</summary>
    public int Uses { get; set; } = 1;

    /// <summary>How long it may be used, from the first start with it.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Scopes that its clients may have. By default <c>stun</c>, and with identities also <c>ims.register</c>.</summary>
    public List<string> Scopes { get; set; } = [];

    /// <summary>TURN servers that its clients may get tokens for.</summary>
    public List<string> Audiences { get; set; } = [];

    /// <summary>Identities that its clients may get registration tokens for; see <see cref="IdentityBlock"/>.</summary>
    public List<string> Impus { get; set; } = [];

    /// <summary>The name of its clients in registration tokens, which the eP-CSCF knows; null for the client id of each.</summary>
    public string? Wwsf { get; set; }

    public TimeSpan? MaxTokenLifetime { get; set; }

    /// <summary>Token requests that each of its clients may send in a minute to one replica.</summary>
    public int? RequestsPerMinute { get; set; }

    public ClientLimits Limits => new()
    {
        Scopes = Scopes.Count > 0 ? Scopes : [.. Contracts.Scopes.Of(registers: Impus.Count > 0)],
        Audiences = Audiences,
        Impus = Impus,
        Wwsf = Wwsf,
        MaxTokenLifetime = (long?)MaxTokenLifetime?.TotalSeconds,
        RequestsPerMinute = RequestsPerMinute,
    };

    public IEnumerable<string> Problems(IReadOnlyList<string> turnServers)
    {
        if (Name.Length is 0 or > MaxNameLength) yield return $"Name must have 1 to {MaxNameLength} characters";
        if (Token.Reveal().Length < MinTokenLength) yield return $"Token must have {MinTokenLength} characters or more";
        if (Uses < 1) yield return "Uses must be a number from 1";
        if (Lifetime <= TimeSpan.Zero) yield return "Lifetime must be a time such as 1.00:00:00";
        foreach (var scope in Scopes.Except(Contracts.Scopes.All)) yield return $"Scopes has '{scope}', which is not a scope";
        if (Audiences.Count == 0) yield return "Audiences is empty: name the TURN servers that its clients may get tokens for";
        foreach (var audience in Audiences.Except(turnServers))
            yield return $"Audiences names '{audience}', which is not among Waf:TurnServers";
        foreach (var impu in Impus.Where(impu => !IdentityBlock.IsPattern(impu)))
            yield return $"Impus has '{impu}', which is not a pattern such as sip:guest-*@example.org";
        if (Wwsf is not null && (Wwsf.Length is 0 or > MaxNameLength || Wwsf.Any(char.IsControl)))
            yield return $"Wwsf must have 1 to {MaxNameLength} characters";
        if (MaxTokenLifetime < TokenLimits.ShortestLifetime || MaxTokenLifetime > TokenLimits.LongestLifetime)
            yield return $"MaxTokenLifetime must be a time from {TokenLimits.ShortestLifetime:c} to {TokenLimits.LongestLifetime:c}";
        if (RequestsPerMinute < 1) yield return "RequestsPerMinute must be a number from 1";
    }
}
