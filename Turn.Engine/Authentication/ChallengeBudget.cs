using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Authentication;

/// <summary>
/// How many unauthenticated answers over UDP an address gets: a challenge is longer than the request for it, and a source may be
/// forged. Packets beyond the budget are dropped; a real client retransmits (RFC 8489 §6.2.1).
/// </summary>
/// <remarks>
/// Ports do not count, for a flood has many of one address, and of an IPv6 address only the network does. The memory is fixed: addresses
/// share buckets by a keyed hash, so that a sender cannot aim at the bucket of another. Not safe for several threads; each engine has one.
/// </remarks>
/// <param name="perSecond">Answers per second and address, with a burst of ten seconds. 0 means no limit.</param>
/// <param name="seed">Random, so that buckets cannot be predicted.</param>
internal sealed class ChallengeBudget(int perSecond, int seed)
{
    private const int Buckets = 1 << 14;
    private const long BurstMicroseconds = 10_000_000;

    // In microseconds: when the bucket is full again. Each answer moves it by 1/perSecond s.
    private readonly long[] _paidUntil = new long[Buckets];

    public bool TryAcquire(InternetAddress source, EngineTime time)
    {
        if (perSecond == 0) return true;
        ref var paidUntil = ref _paidUntil[(uint)HashCode.Combine(seed, ClientNetwork.Of(source)) % Buckets];
        var now = time.Milliseconds * 1000;
        if (paidUntil - now >= BurstMicroseconds) return false;
        paidUntil = Math.Max(paidUntil, now) + (1_000_000 / perSecond);
        return true;
    }
}
