using System.Net.Sockets;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A peer's socket.</summary>
internal static class UdpPeer
{
    /// <summary>The next datagram, which must arrive within a time limit.</summary>
    public static async Task<byte[]> ReceiveAsync(UdpClient socket)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        return (await socket.ReceiveAsync(limit.Token)).Buffer;
    }
}
