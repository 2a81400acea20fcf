namespace WebRtcIms.Turn.Transport;

/// <summary>
/// The free ports of a range, taken at random in constant time however full the range is (RFC 8656 §7.2, RFC 6056).
/// Not safe for several threads.
/// </summary>
internal sealed class RelayPortRange
{
    private readonly int _min;
    private readonly Random _random;

    // The first _count entries are free; _position finds a port's place, or -1.
    private readonly ushort[] _free;
    private readonly int[] _position;
    private int _count;

    public RelayPortRange(int min, int max, Random random)
    {
        _min = min;
        _random = random;
        _count = max - min + 1;
        _free = new ushort[_count];
        _position = new int[_count];
        for (var i = 0; i < _count; i++)
        {
            _free[i] = (ushort)(min + i);
            _position[i] = i;
        }
    }

    public int FreeCount => _count;

    public bool TryTake(out ushort port)
    {
        port = 0;
        if (_count == 0) return false;
        port = _free[_random.Next(_count)];
        Remove(port);
        return true;
    }

    /// <summary>An even port, with the next higher one if that is wanted: RTP and RTCP (RFC 8656 §18.7).</summary>
    public bool TryTakeEven(bool withNext, out ushort port)
    {
        port = 0;
        if (_count == 0) return false;
        var start = _random.Next(_count);
        for (var i = 0; i < _count; i++)
        {
            var candidate = _free[(start + i) % _count];
            if (candidate % 2 != 0 || (withNext && !IsFree(candidate + 1))) continue;
            port = candidate;
            Remove(port);
            if (withNext) Remove((ushort)(port + 1));
            return true;
        }

        return false;
    }

    public void Return(ushort port)
    {
        _position[port - _min] = _count;
        _free[_count++] = port;
    }

    private bool IsFree(int port) => port - _min < _position.Length && _position[port - _min] >= 0;

    private void Remove(ushort port)
    {
        var hole = _position[port - _min];
        var last = _free[--_count];
        _free[hole] = last;
        _position[last - _min] = hole;
        _position[port - _min] = -1;
    }
}
