using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Tests.Common.Engine;

/// <summary>A relay without a socket. It records datagrams and counts how often it is closed.</summary>
public sealed class FakeRelay(TransportAddress bound, TransportAddress advertised, Action? onClosed = null) : Relay(bound, advertised)
{
    public FakeRelay(TransportAddress address)
        : this(address, address)
    {
    }

    public int Closed { get; private set; }

    public List<(string Peer, string Payload, bool IsUnfragmented)> Sent { get; } = [];

    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload) =>
        Sent.Add((peer.ToString(), Convert.ToHexString(payload), false));

    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload) =>
        Sent.Add((peer.ToString(), Convert.ToHexString(payload), true));

    public override void Dispose()
    {
        if (Closed++ == 0) onClosed?.Invoke();
    }
}

/// <summary>A connection to a peer without a socket.</summary>
public sealed class FakePeerTransport : PeerTransport
{
    public int Closed { get; private set; }

    public bool IsClosed => Closed > 0;

    public override void Dispose() => Closed++;
}

/// <summary>The path to a client, which drops everything.</summary>
public sealed class FakePath : ClientPath
{
    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
    }
}
