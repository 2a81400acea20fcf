namespace WebRtcIms.Contracts;

/// <summary>The WWSF's response to the gateway's question whether the session of a request is alive.</summary>
public static class LiveSession
{
    /// <summary>The response header with the pseudonym of the session.</summary>
    public const string Name = "Session-Pseudonym";
}
