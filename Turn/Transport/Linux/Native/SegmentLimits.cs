using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>
/// The longest segments that the kernel cuts for a destination (UDP_SEGMENT), as far as it has refused longer ones: a segment and its
/// headers must fit the MTU of the path, and some devices and IPsec do not segment at all. One for each worker.
/// </summary>
/// <remarks>
/// A destination without an entry has no limit. Two destinations may compete for one entry. Then a message to either is tried and
/// refused more often, and its datagrams go one by one. Nothing is lost.
/// </remarks>
internal sealed class SegmentLimits
{
    /// <summary>Datagrams that go one by one before the kernel is asked again: the path may have changed.</summary>
    public const int DatagramsUntilRetry = 8192;

    // A power of two.
    private const int Capacity = 256;

    private readonly Entry[] _entries = new Entry[Capacity];
    private bool _hasEntries;

    /// <summary>Whether datagrams of a length may be segments of one message.</summary>
    public bool Allows(in InternetAddress destination, nuint length)
    {
        if (!_hasEntries) return true;
        ref var entry = ref EntryOf(destination);
        if (entry.DatagramsLeft == 0 || length <= entry.Longest || entry.Destination != destination) return true;
        entry.DatagramsLeft--;
        return false;
    }

    /// <summary>The kernel has refused to segment a message for a destination.</summary>
    /// <param name="destination">Where the message was to go.</param>
    /// <param name="longest">The longest segments that may still be tried.</param>
    public void Lower(in InternetAddress destination, nuint longest)
    {
        _hasEntries = true;
        ref var entry = ref EntryOf(destination);

        // A run of longer datagrams, which was queued before, does not raise the limit.
        if (entry.DatagramsLeft > 0 && entry.Destination == destination) longest = Math.Min(longest, entry.Longest);
        entry = new Entry(destination, longest, DatagramsUntilRetry);
    }

    private ref Entry EntryOf(in InternetAddress destination) => ref _entries[destination.GetHashCode() & (Capacity - 1)];

    private record struct Entry(InternetAddress Destination, nuint Longest, int DatagramsLeft);
}
