using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>A relay without a socket that knows how often it was closed.</summary>
internal sealed class CountedRelay(TransportAddress address) : Relay(address, address)
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
internal sealed class CountedStream : PeerTransport
{
    public int Closed { get; private set; }

    public override void Dispose() => Closed++;
}

/// <summary>A place in the quotas.</summary>
internal sealed class CountedLease(IDisposable lease) : IDisposable
{
    public int Returned { get; private set; }

    public void Dispose()
    {
        Returned++;
        lease.Dispose();
    }
}

/// <summary>A way back to clients that leads nowhere.</summary>
internal sealed class NoPath : ClientPath
{
    public static readonly NoPath Instance = new();

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
    }
}
