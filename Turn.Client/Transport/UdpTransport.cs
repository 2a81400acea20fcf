namespace WebRtcIms.Turn.Client.Transport;

/// <summary>A socket connected to the server, so that the kernel drops what others send and reports ICMP errors.</summary>
internal sealed class UdpTransport : ITurnTransport
{
    private readonly Socket _socket;

    public UdpTransport(IPEndPoint server)
    {
        _socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            _socket.Connect(server);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    public bool IsReliable => false;

    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel) =>
        await _socket.SendAsync(message, SocketFlags.None, cancel);

    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel) =>
        _socket.ReceiveAsync(buffer, SocketFlags.None, cancel);

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
