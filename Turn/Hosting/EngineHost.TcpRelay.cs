using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Hosting;

/// <summary>The engine's decisions about TCP allocations (RFC 6062).</summary>
internal sealed partial class EngineHost
{
    /// <summary>Takes a connection that a peer has made to a relay.</summary>
    public void PeerConnected(Allocation allocation, in TransportAddress peer, PeerTransport stream)
    {
        var message = ReplyBuffer;
        Outcome outcome;
        lock (_gate)
        {
            outcome = engine.HandlePeerConnection(allocation, peer, stream, Now, message);
            CloseWhatEnded();
        }

        if (outcome.Kind == OutcomeKind.ToClient) allocation.Client.Send(message[..outcome.Length]);
        else metrics.CountDrops(outcome.DropReason, 1);
    }

    /// <summary>A data connection has ended on either side.</summary>
    public void PeerConnectionClosed(PeerConnection connection)
    {
        lock (_gate)
        {
            engine.PeerConnectionClosed(connection);
            CloseWhatEnded();
        }
    }

    /// <summary>Counts what a data connection has carried, and says how long it must not carry more.</summary>
    public TimeSpan CountToPeer(PeerConnection connection, int octets)
    {
        lock (_gate)
        {
            _toPeers.Count(octets);
            connection.Allocation.Totals.BytesToPeers += octets;
            return connection.Allocation.PaceToPeer(octets, Now.Milliseconds);
        }
    }

    /// <summary>As <see cref="CountToPeer"/>, the other way.</summary>
    public TimeSpan CountToClient(PeerConnection connection, int octets)
    {
        lock (_gate)
        {
            _toClients.Count(octets);
            connection.Allocation.Totals.BytesToClient += octets;
            return connection.Allocation.PaceToClient(octets, Now.Milliseconds);
        }
    }

    private async Task ConnectAsync(PeerConnection connection, TransportAddress to)
    {
        PeerTransport? stream = null;
        try
        {
            var relay = connection.Allocation.RelayFor(connection.Peer.Address.Family)!;
            stream = await TcpRelays.TryConnectAsync(relay, to).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Failed(error);
        }

        Complete(connection, stream);
    }

    private void Complete(PeerConnection connection, PeerTransport? stream)
    {
        var reply = ReplyBuffer;
        Outcome outcome;
        lock (_gate)
        {
            outcome = engine.CompleteConnect(connection, stream, Now, reply);
            CloseWhatEnded();
        }

        if (outcome.Kind != OutcomeKind.Reply) return;
        connection.Allocation.Client.Send(reply[..outcome.Length]);
        metrics.CountRequest(outcome.Method, outcome.Error);
    }
}
