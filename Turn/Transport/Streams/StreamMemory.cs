using Microsoft.AspNetCore.Connections;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>New streams while the heap is nearly full: they are closed before they cost anything.</summary>
internal static class StreamMemory
{
    public static Task ServeAsync(ConnectionContext connection, ConnectionDelegate next, RelayShortages shortages)
    {
        if (!shortages.IsMemoryLow()) return next(connection);
        shortages.Report(RelayShortage.Memory);
        connection.Abort(new ConnectionAbortedException("the server has no memory for more streams"));
        return Task.CompletedTask;
    }
}
