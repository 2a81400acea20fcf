using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Tests.Common.Engine;

/// <summary>A relay without a socket.</summary>
public sealed class FakeRelay(TransportAddress address) : Relay(address, address)
{
    public int Closed { get; private set; }

    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
    }

    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
    }

    public override void Dispose() => Closed++;
}

/// <summary>A connection with a peer without a socket.</summary>
public sealed class FakePeerTransport : PeerTransport
{
    public bool IsClosed { get; private set; }

    public override void Dispose() => IsClosed = true;
}

/// <summary>The way to a client, which drops everything.</summary>
public sealed class FakePath : ClientPath
{
    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
    }
}
