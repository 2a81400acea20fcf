using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Allocations;

/// <summary>The permissions and channels of an allocation, as the client knows them.</summary>
internal sealed class PeerTable
{
    private readonly Lock _gate = new();
    private readonly HashSet<InternetAddress> _permissions = [];
    private readonly Dictionary<TransportAddress, Channel> _byPeer = [];

    // The peers in the order of their channel numbers.
    private readonly List<IPEndPoint> _byNumber = [];

    public void AddPermission(InternetAddress peer)
    {
        lock (_gate) _permissions.Add(peer);
    }

    /// <summary>Permissions to renew. A channel includes one, which expires before the channel (RFC 8656 §12).</summary>
    public InternetAddress[] Permissions()
    {
        lock (_gate) return [.. _permissions];
    }

    /// <summary>
    /// The number for a peer. It never changes, because a request whose answer was lost may have bound it. Data may arrive in the
    /// channel before that answer.
    /// </summary>
    public ushort ReserveChannel(in TransportAddress peer)
    {
        lock (_gate)
        {
            if (_byPeer.TryGetValue(peer, out var channel)) return channel.Number;
            if (ChannelData.MinChannel + _byNumber.Count > ChannelData.MaxChannel)
                throw new TurnException("All channel numbers of the allocation are in use");
            var number = (ushort)(ChannelData.MinChannel + _byNumber.Count);
            _byPeer.Add(peer, new Channel(number, IsBound: false));
            _byNumber.Add(peer.ToIPEndPoint());
            return number;
        }
    }

    public void ChannelBound(in TransportAddress peer, ushort number)
    {
        lock (_gate)
        {
            _byPeer[peer] = new Channel(number, IsBound: true);
            _permissions.Add(peer.Address);
        }
    }

    /// <summary>The channel to send in. False if none is bound.</summary>
    public bool TryGetChannel(in TransportAddress peer, out ushort number)
    {
        lock (_gate)
        {
            var isBound = _byPeer.TryGetValue(peer, out var channel) && channel.IsBound;
            number = channel.Number;
            return isBound;
        }
    }

    public IPEndPoint? PeerOf(ushort channel)
    {
        var index = channel - ChannelData.MinChannel;
        lock (_gate) return index >= 0 && index < _byNumber.Count ? _byNumber[index] : null;
    }

    public (TransportAddress Peer, ushort Number)[] Channels()
    {
        lock (_gate) return [.. _byPeer.Where(entry => entry.Value.IsBound).Select(entry => (entry.Key, entry.Value.Number))];
    }

    private readonly record struct Channel(ushort Number, bool IsBound);
}
