using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>
/// Stands between a browser and the TURN server and keeps every datagram of both directions, so that a test can search what
/// really went over the wire.
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

    /// <summary>Told of each datagram before it goes on, from several threads; true: from the server.</summary>
    public event Action<byte[], bool>? Passing;

    public void Dispose()
    {
        _front.Dispose();
        foreach (var client in _clients.Values) client.Dispose();
    }

    private async Task RunAsync()
    {
        await ForwardAsync(_front, isFromServer: false, received => _clients.GetOrAdd(received.RemoteEndPoint, Connect).Send(received.Buffer));
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
                // The server is down for the moment; the browser sends again.
            }
        }
    }
}
