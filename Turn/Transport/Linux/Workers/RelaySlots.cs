namespace WebRtcIms.Turn.Transport.Linux.Workers;

/// <summary>
/// A worker's relays by number. An event of the kernel brings the number of its relay. All members need the server's gate.
/// </summary>
internal sealed class RelaySlots
{
    private readonly Stack<int> _free = [];
    private LinuxRelay?[] _relays = new LinuxRelay?[1024];
    private int _used;

    /// <summary>The relays, and null in free slots.</summary>
    public IEnumerable<LinuxRelay?> All => _relays;

    public LinuxRelay? this[int slot] => _relays[slot];

    /// <summary>Gives a relay its slot.</summary>
    public void Add(LinuxRelay relay)
    {
        if (!_free.TryPop(out var slot)) slot = _used++;
        if (slot == _relays.Length) Array.Resize(ref _relays, 2 * slot);
        _relays[slot] = relay;
        relay.Slot = slot;
    }

    public void Remove(LinuxRelay relay)
    {
        _relays[relay.Slot] = null;
        _free.Push(relay.Slot);
    }
}
