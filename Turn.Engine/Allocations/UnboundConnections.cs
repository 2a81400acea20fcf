using System.Buffers.Binary;
using System.Security.Cryptography;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// Peers' connections that wait for the ConnectionBind with their id (RFC 6062 §5.4). Shared by all engines of a server, for that
/// request comes over a connection of its own, which may reach another engine.
/// </summary>
public sealed class UnboundConnections(Func<uint>? newId = null)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, PeerConnection> _byId = [];
    private readonly Func<uint> _newId = newId ?? RandomId;

    /// <summary>Gives the connection an id that no other one has.</summary>
    public void Add(PeerConnection connection)
    {
        lock (_gate)
        {
            do connection.Id = _newId();
            while (connection.Id == 0 || !_byId.TryAdd(connection.Id, connection));
        }
    }

    /// <summary>The connection with this CONNECTION-ID (RFC 6062 §6.2.1); null when it is unknown or already bound.</summary>
    public PeerConnection? Find(uint id)
    {
        lock (_gate) return _byId.GetValueOrDefault(id);
    }

    /// <summary>Takes the connection to bind it or to close it. False when it has been taken already.</summary>
    public bool TryAcquire(PeerConnection connection)
    {
        lock (_gate) return _byId.Remove(connection.Id);
    }

    // A ConnectionBind also needs the credential of the allocation. A random id also hides which connections exist.
    private static uint RandomId() => BinaryPrimitives.ReadUInt32BigEndian(RandomNumberGenerator.GetBytes(4));
}
