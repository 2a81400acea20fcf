namespace WebRtcIms.Abuse.Frame;

/// <summary>The reproduction of one finding of the security review.</summary>
/// <param name="Id">The name in the review: <c>S1</c>.</param>
/// <param name="TryAsync">Sends the requests that showed the finding.</param>
internal sealed record Finding(string Id, Func<Targets, Task<Verdict>> TryAsync)
{
    /// <summary>Whether it waits for a minute. It then runs beside the others.</summary>
    public bool IsSlow { get; init; }
}
