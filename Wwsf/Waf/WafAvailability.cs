namespace WebRtcIms.Wwsf.Waf;

/// <summary>Whether the WAF answered the last token request, so that its return is logged once.</summary>
internal sealed class WafAvailability
{
    private int _isAway;

    public void Lost() => Interlocked.Exchange(ref _isAway, 1);

    /// <summary>True once after each loss.</summary>
    public bool IsBack() => Volatile.Read(ref _isAway) == 1 && Interlocked.Exchange(ref _isAway, 0) == 1;
}
