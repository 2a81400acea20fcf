using System.Net.Sockets;
using WebRtcIms.Turn.Addresses;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>
/// The notifications of rtnetlink(7) about links and addresses of both families. The end of duplicate address detection is one of them;
/// those of .NET leave IPv6 out. Their content is not read: the follower reads all addresses anew.
/// </summary>
internal sealed class NetlinkChanges : IAddressChanges, IDisposable
{
    private const int FamilyNetlink = 16;
    private const int ProtocolRoute = 0;
    private const uint Links = 1;
    private const uint AddressesIPv4 = 0x10;
    private const uint AddressesIPv6 = 0x100;

    private readonly Socket _socket;
    private readonly byte[] _message = new byte[8192];

    private NetlinkChanges(Socket socket) => _socket = socket;

    /// <summary>Null where a container does not allow it.</summary>
    public static unsafe NetlinkChanges? TryOpen()
    {
        var descriptor = Libc.Socket(FamilyNetlink, Libc.TypeDatagram | Libc.CloseOnExec, ProtocolRoute);
        if (descriptor < 0) return null;
        try
        {
            // struct sockaddr_nl: family, padding, port, groups. The kernel chooses the port.
            Span<uint> name = [FamilyNetlink, 0, Links | AddressesIPv4 | AddressesIPv6];
            fixed (uint* start = name)
            {
                if (Libc.Bind(descriptor, (byte*)start, (uint)(name.Length * sizeof(uint))) == 0)
                    return new NetlinkChanges(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)));
            }
        }
        catch (SocketException)
        {
            // .NET does not take the socket.
        }

        _ = Libc.Close(descriptor);
        return null;
    }

    public async Task WaitAsync(CancellationToken cancel)
    {
        try
        {
            await _socket.ReceiveAsync(_message, SocketFlags.None, cancel).ConfigureAwait(false);

            // One change brings several messages.
            while (_socket.Poll(TimeSpan.Zero, SelectMode.SelectRead)) _socket.Receive(_message);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
        {
            // Messages were lost, so there were changes.
        }
    }

    public void Dispose() => _socket.Dispose();
}
