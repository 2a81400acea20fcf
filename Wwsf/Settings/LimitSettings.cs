namespace WebRtcIms.Wwsf.Settings;

/// <summary>Token buckets: each number is the rate per minute and also the burst.</summary>
internal sealed record LimitSettings(int LoginsPerMinute, int AnonymousSessionsPerMinute, int TurnTokensPerMinute, int ImsTokensPerMinute)
{
    public static LimitSettings Read(SettingsReader reader) => new(
        reader.Number("Wwsf:Limits:LoginsPerMinute", 60),
        reader.Number("Wwsf:Limits:AnonymousSessionsPerMinute", 120),
        reader.Number("Wwsf:Limits:TurnTokensPerMinute", 60),
        reader.Number("Wwsf:Limits:ImsTokensPerMinute", 60));
}
