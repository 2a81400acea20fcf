using System.Net;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>A listener with what goes to its clients at the end of the turn.</summary>
internal sealed class EpollListener(IPEndPoint endpoint) : WorkerListener(endpoint)
{
    public SendBatch ToClients { get; } = new();

    public override void Dispose()
    {
        base.Dispose();
        ToClients.Dispose();
    }
}
