using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>
/// A proxy between a browser and the TURN server. It keeps every datagram of both directions, so that a test can search the actual
/// traffic.
/// </summary>
public sealed class RecordingUdpProxy : IDisposable
{
    private readonly UdpClient _front = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly ConcurrentDictionary<IPEndPoint, UdpClient> _clients = [];
    private readonly IPEndPoint _server;

    public RecordingUdpProxy(IPEndPoint server)
    {
        _server = server;
        _ = RunAsync();
    }

    public int Port => ((IPEndPoint)_front.Client.LocalEndPoint!).Port;

    public ConcurrentQueue<byte[]> Datagrams { get; } = [];

    /// <summary>
    /// Raised for each datagram before it is forwarded, on several threads. The flag is true for datagrams of the server.
    /// </summary>
    public event Action<byte[], bool>? Passing;

    public void Dispose()
    {
        _front.Dispose();
        foreach (var client in _clients.Values) client.Dispose();
    }

    private async Task RunAsync()
    {
        await ForwardAsync(_front, isFromServer: false, received =>
            _clients.GetOrAdd(received.RemoteEndPoint, Connect).Send(received.Buffer));
    }

    private UdpClient Connect(IPEndPoint client)
    {
        var towardsServer = new UdpClient();
        towardsServer.Connect(_server);
        _ = ForwardAsync(towardsServer, isFromServer: true, received => _front.Send(received.Buffer, client));
        return towardsServer;
    }

    private async Task ForwardAsync(UdpClient from, bool isFromServer, Func<UdpReceiveResult, int> send)
    {
        while (true)
        {
            try
            {
                var received = await from.ReceiveAsync();
                Datagrams.Enqueue(received.Buffer);
                Passing?.Invoke(received.Buffer, isFromServer);
                send(received);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // The server is down. The browser retransmits.
            }
        }
    }
}
