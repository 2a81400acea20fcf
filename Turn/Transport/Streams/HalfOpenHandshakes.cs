using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// TLS handshakes in progress. If a client opens connections and never finishes a handshake, its oldest ones are closed. So it cannot
/// use unbounded memory, or block other clients.
/// </summary>
internal sealed class HalfOpenHandshakes(int most)
{
    /// <summary>Of one server. A handshake takes milliseconds, so a thousand clients may come at once and all are served.</summary>
    public const int Most = 1000;

    private static readonly object Place = new();

    private readonly Lock _gate = new();
    private readonly LinkedList<ConnectionContext> _oldestFirst = [];

    public HalfOpenHandshakes()
        : this(Most)
    {
    }

    public int Count
    {
        get
        {
            lock (_gate) return _oldestFirst.Count;
        }
    }

    /// <summary>Before the handshake: takes a place, the oldest one's when all are taken.</summary>
    public async Task BeginAsync(ConnectionContext connection, ConnectionDelegate handshake)
    {
        connection.Items[Place] = Add(connection, out var evicted);
        evicted?.Abort(new ConnectionAbortedException("too many TLS handshakes at a time"));

        // A stopping process does not wait for a silent client.
        var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        using var stopping = lifetime?.ConnectionClosedRequested.Register(() => AbortIfHalfOpen(connection));
        try
        {
            await handshake(connection);
        }
        finally
        {
            TryRemove(connection);
        }
    }

    /// <summary>After it: gives the place back.</summary>
    public Task EndAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        TryRemove(connection);
        return next(connection);
    }

    private LinkedListNode<ConnectionContext> Add(ConnectionContext connection, out ConnectionContext? evicted)
    {
        evicted = null;
        lock (_gate)
        {
            if (_oldestFirst.Count == most)
            {
                evicted = _oldestFirst.First!.Value;
                _oldestFirst.RemoveFirst();
            }

            return _oldestFirst.AddLast(connection);
        }
    }

    private bool TryRemove(ConnectionContext connection)
    {
        lock (_gate)
        {
            if (connection.Items[Place] is not LinkedListNode<ConnectionContext> { List: not null } place) return false;
            _oldestFirst.Remove(place);
            return true;
        }
    }

    private void AbortIfHalfOpen(ConnectionContext connection)
    {
        if (TryRemove(connection)) connection.Abort(new ConnectionAbortedException("the server stops"));
    }
}
