namespace WebRtcIms.Wwsf.Settings;

/// <summary>How this service authenticates at the eP-CSCF.</summary>
internal sealed class EpCscfClientSettings
{
    private const int MinKeyLength = 32;

    /// <summary>A key of <c>EpCscf:SessionsKeys</c>. Without it the eP-CSCF answers no question about a session.</summary>
    public Redacted<string>? SessionsKey { get; set; }

    public IEnumerable<string> Problems(IHostEnvironment environment)
    {
        var key = SessionsKey?.Reveal() ?? "";
        if (key.Length == 0)
        {
            if (!environment.IsDevelopment()) yield return "Wwsf:EpCscf:SessionsKey is missing: give a key of EpCscf:SessionsKeys";
        }
        else if (key.Length < MinKeyLength || key.Any(c => c is <= ' ' or > '~'))
        {
            yield return $"Wwsf:EpCscf:SessionsKey must have {MinKeyLength} octets or more, in ASCII without blanks";
        }
    }
}
