using System.Net;
using System.Net.Sockets;
using WebRtcIms.Turn.Client;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Relays to and from an echo, on all allocations in turn, until it is disposed.</summary>
internal sealed class Traffic : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly UdpClient _echo = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly CancellationTokenSource _end = new();
    private readonly IReadOnlyList<TurnAllocation> _allocations;
    private readonly Task _work;

    public Traffic(IReadOnlyList<TurnAllocation> allocations)
    {
        _allocations = allocations;
        _work = Task.WhenAll(EchoAsync(), SendAsync());
    }

    private IPEndPoint Peer => (IPEndPoint)_echo.Client.LocalEndPoint!;

    /// <summary>Every allocation gets something back that was sent after this was called.</summary>
    public async Task AssertEachRelaysAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        foreach (var allocation in _allocations)
        {
            while (allocation.Received.TryRead(out _))
            {
                // Older.
            }

            await allocation.Received.ReadAsync(limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _echo.Dispose();
        _end.Dispose();
    }

    private async Task SendAsync()
    {
        foreach (var allocation in _allocations) await allocation.CreatePermissionAsync(IPAddress.Loopback, _end.Token);
        while (true)
        {
            foreach (var allocation in _allocations) await allocation.SendAsync("hello"u8.ToArray(), Peer, _end.Token);
            await Task.Delay(Pause, _end.Token);
        }
    }

    private async Task EchoAsync()
    {
        while (true)
        {
            var datagram = await _echo.ReceiveAsync(_end.Token);
            await _echo.SendAsync(datagram.Buffer, datagram.RemoteEndPoint, _end.Token);
        }
    }
}
