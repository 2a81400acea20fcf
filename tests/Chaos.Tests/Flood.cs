using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Chaos.Tests;

/// <summary>
/// Strangers on other loopback addresses: connections to the gateway and to the TURN nodes, requests for sessions and WebSockets, and STUN
/// requests over UDP. The rate is bounded.
/// </summary>
internal sealed class Flood(ChaosSystem system) : IAsyncDisposable
{
    // In each tick, to each target.
    private const int Connections = 5;
    private const int Datagrams = 20;
    private const int MostOpen = 2000;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _end = new();
    private readonly Queue<Socket> _open = new();
    private Task _flooding = Task.CompletedTask;
    private int _number;

    public Task BeginAsync()
    {
        _flooding = RunAsync();
        return Task.CompletedTask;
    }

    public async Task EndAsync()
    {
        await _end.CancelAsync();
        await _flooding;
        while (_open.TryDequeue(out var socket)) socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _end.Dispose();
    }

    private async Task RunAsync()
    {
        var gateway = new IPEndPoint(IPAddress.Loopback, system.Gateway.Port);
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(_end.Token))
            {
                for (var i = 0; i < Connections; i++)
                {
                    foreach (var target in (IPEndPoint[])[gateway, .. system.TurnServers]) await ConnectAsync(target, target == gateway);
                }

                foreach (var node in system.TurnServers) SendDatagrams(node);
                while (_open.Count > MostOpen) _open.Dequeue().Dispose();
            }
        }
        catch (OperationCanceledException)
        {
            // Enough.
        }
    }

    // Addresses from 127.1.0.1 on, one after the other.
    private IPAddress NextStranger()
    {
        var number = Interlocked.Increment(ref _number);
        return new IPAddress([127, 1, (byte)(number / 250 % 250), (byte)(1 + (number % 250))]);
    }

    private async Task ConnectAsync(IPEndPoint target, bool isGateway)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _open.Enqueue(socket);
        try
        {
            socket.Bind(new IPEndPoint(NextStranger(), 0));
            await socket.ConnectAsync(target, _end.Token);
            await socket.SendAsync(isGateway ? HttpRequest(target) : StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport));
        }
        catch (SocketException)
        {
            // It is refused or closed, as a flood may be.
        }
    }

    private byte[] HttpRequest(IPEndPoint target)
    {
        var upgrade = "GET /sip HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n";
        var line = _number % 2 == 0 ? "GET /api/session HTTP/1.1\r\n" : upgrade;
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{line}Host: {target}\r\n\r\n"));
    }

    private void SendDatagrams(IPEndPoint node)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(NextStranger(), 0));
        for (var i = 0; i < Datagrams; i++) socket.SendTo(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport), node);
    }
}
