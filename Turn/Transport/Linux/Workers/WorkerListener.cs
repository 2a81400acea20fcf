using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Portable;

namespace WebRtcIms.Turn.Transport.Linux.Workers;

/// <summary>
/// One worker's share of a listening address: every worker binds the same address with SO_REUSEPORT, and the kernel gives a
/// client's datagrams always to the same one.
/// </summary>
internal sealed class WorkerListener(IPEndPoint endpoint, int number, TurnMetrics metrics) : ClientPath, IWorkerSocket, IDisposable
{
    private readonly DatagramSocket _socket = new(endpoint, metrics, sharesPort: true);

    /// <summary>Its place among the worker's listeners.</summary>
    public int Number { get; } = number;

    /// <summary>It is being closed: the worker neither receives nor sends by its descriptor any more.</summary>
    public bool IsClosing { get; set; }

    public TransportAddress Local { get; } = TransportAddress.From(endpoint);

    public int Descriptor => _socket.Descriptor;

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message) => _socket.Send(client, message);

    public void Dispose() => _socket.Dispose();
}
