using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// One listening socket. A connection has its place before Kestrel knows of it. While as many sockets are open as may be, further
/// clients wait in the kernel's queue. Kestrel's own listener does not wait if the process is out of descriptors: it tries again at once,
/// for ever.
/// </summary>
internal sealed partial class AdmittedListener(
    Socket listening, ConnectionAdmission admission, SemaphoreSlim open, SocketConnectionContextFactory connections, TimeProvider time,
    ILogger logger) : IConnectionListener
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _unbound = new();

    public EndPoint EndPoint { get; } = listening.LocalEndPoint!;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            while (true)
            {
                await open.WaitAsync(_unbound.Token).ConfigureAwait(false);
                if (await AcceptSocketAsync().ConfigureAwait(false) is not { } socket) open.Release();
                else if (await AdmitAsync(socket).ConfigureAwait(false) is { } connection) return connection;
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException)
        {
            return null;
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _unbound.Cancel();
        listening.Dispose();
        return default;
    }

    public ValueTask DisposeAsync() => UnbindAsync();

    /// <summary>Null if the client has gone meanwhile, or there was no descriptor for it.</summary>
    private async Task<Socket?> AcceptSocketAsync()
    {
        try
        {
            var socket = await listening.AcceptAsync(_unbound.Token).ConfigureAwait(false);
            socket.NoDelay = true;
            return socket;
        }
        catch (SocketException error)
        {
            if (error.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted) return null;
            LogPause(error.SocketErrorCode);
            await Task.Delay(Pause, time, _unbound.Token).ConfigureAwait(false);
            return null;
        }
    }

    private async Task<AdmittedConnectionContext?> AdmitAsync(Socket socket)
    {
        var address = (socket.RemoteEndPoint as IPEndPoint)?.Address;
        var connection = new AdmittedConnectionContext(connections.Create(socket), open);
        connection.Place = admission.TryAdmit(address, connection.GiveWay);
        if (connection.Place is not null) return connection;
        connection.GiveWay();
        await connection.DisposeAsync().ConfigureAwait(false);
        return null;
    }

    [LoggerMessage(1, LogLevel.Error, "No connection can be accepted for the moment: {Error}")]
    private partial void LogPause(SocketError error);
}
