namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>
/// When a request is sent again, and when it is given up: RTO 500 ms, doubling, Rc 7 transmissions, the last of which waits
/// Rm 16 RTO (RFC 8489 §6.2.1); over a stream only once, and as long (Ti, §6.2.2).
/// </summary>
internal static class Retransmission
{
    private const int Transmissions = 7;
    private const int LastWait = 16;

    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(500);

    /// <summary>How long to wait for the answer after each transmission.</summary>
    public static IEnumerable<TimeSpan> Waits(bool isReliable)
    {
        if (isReliable) return [TimeSpan.FromSeconds(39.5)];
        return Enumerable.Range(0, Transmissions).Select(sent => Timeout * (sent < Transmissions - 1 ? 1 << sent : LastWait));
    }
}
