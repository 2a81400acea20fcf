using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// TLS handshakes in progress. A stopping process does not wait for a silent client. Their number is bounded with that of all streams
/// that have not authenticated.
/// </summary>
internal static class HalfOpenHandshakes
{
    private static readonly object IsComplete = new();

    /// <summary>Before the handshake.</summary>
    public static async Task BeginAsync(ConnectionContext connection, ConnectionDelegate handshake)
    {
        var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        using var stopping = lifetime?.ConnectionClosedRequested.Register(() => AbortIfHalfOpen(connection));
        await handshake(connection);
    }

    /// <summary>After it.</summary>
    public static Task EndAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        connection.Items[IsComplete] = IsComplete;
        return next(connection);
    }

    private static void AbortIfHalfOpen(ConnectionContext connection)
    {
        if (!connection.Items.ContainsKey(IsComplete)) connection.Abort(new ConnectionAbortedException("the server stops"));
    }
}
