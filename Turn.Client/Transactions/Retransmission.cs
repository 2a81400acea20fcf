namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>
/// The retransmission schedule of a request: RTO 500 ms, doubling, Rc 7 transmissions, and Rm 16 RTO after the last
/// (RFC 8489 §6.2.1). Over a stream there is one transmission and a time-out of the same length (Ti, §6.2.2).
/// </summary>
internal static class Retransmission
{
    private const int Transmissions = 7;
    private const int LastWait = 16;

    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(500);

    /// <summary>The time to wait for the answer after each transmission.</summary>
    public static IEnumerable<TimeSpan> Waits(bool isReliable)
    {
        if (isReliable) return [TimeSpan.FromSeconds(39.5)];
        return Enumerable.Range(0, Transmissions).Select(sent => Timeout * (sent < Transmissions - 1 ? 1 << sent : LastWait));
    }
}
