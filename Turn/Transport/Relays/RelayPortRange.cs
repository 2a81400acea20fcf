namespace WebRtcIms.Turn.Transport.Relays;

/// <summary>
/// The free ports of a range. A random one is found in constant time, also in a nearly full range (RFC 8656 §7.2, RFC 6056).
/// Not safe for several threads.
/// </summary>
internal sealed class RelayPortRange
{
    private readonly Random _random;
    private readonly PortSet _free;
    private readonly PortSet _even;

    // Even ports whose next higher port is also free.
    private readonly PortSet _pairs;

    public RelayPortRange(int min, int max, Random random)
    {
        _random = random;
        _free = new PortSet(min, max);
        _even = new PortSet(min, max);
        _pairs = new PortSet(min, max);
        for (var port = min; port <= max; port++) Return((ushort)port);
    }

    public int FreeCount => _free.Count;

    public bool TryTake(out ushort port) => TryTake(_free, out port);

    /// <summary>An even port, with the next higher one if that is wanted: RTP and RTCP (RFC 8656 §18.7).</summary>
    public bool TryTakeEven(bool withNext, out ushort port)
    {
        if (!TryTake(withNext ? _pairs : _even, out port)) return false;
        if (withNext) Remove((ushort)(port + 1));
        return true;
    }

    public void Return(ushort port)
    {
        _free.Add(port);
        if (IsEven(port)) _even.Add(port);
        var pair = port & ~1;
        if (_free.Contains(pair) && _free.Contains(pair + 1)) _pairs.Add((ushort)pair);
    }

    private static bool IsEven(int port) => port % 2 == 0;

    private bool TryTake(PortSet ports, out ushort port)
    {
        port = 0;
        if (ports.Count == 0) return false;
        port = ports[_random.Next(ports.Count)];
        Remove(port);
        return true;
    }

    private void Remove(ushort port)
    {
        _free.Remove(port);
        _even.Remove(port);
        _pairs.Remove(port & ~1);
    }

    /// <summary>Ports in no order, each with its place.</summary>
    private sealed class PortSet
    {
        private readonly int _min;
        private readonly ushort[] _ports;
        private readonly int[] _position;

        public PortSet(int min, int max)
        {
            _min = min;
            _ports = new ushort[max - min + 1];
            _position = new int[max - min + 1];
            Array.Fill(_position, -1);
        }

        public int Count { get; private set; }

        public ushort this[int index] => _ports[index];

        public bool Contains(int port) => port - _min >= 0 && port - _min < _position.Length && _position[port - _min] >= 0;

        public void Add(ushort port)
        {
            _position[port - _min] = Count;
            _ports[Count++] = port;
        }

        public void Remove(int port)
        {
            if (!Contains(port)) return;
            var hole = _position[port - _min];
            var last = _ports[--Count];
            _ports[hole] = last;
            _position[last - _min] = hole;
            _position[port - _min] = -1;
        }
    }
}
