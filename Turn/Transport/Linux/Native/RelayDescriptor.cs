using System.Net.Sockets;
using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Portable;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>Opens a relay's UDP socket with the options that relays need (socket(7), ip(7), ipv6(7)).</summary>
internal static unsafe class RelayDescriptor
{
    /// <exception cref="SocketException">The port is taken, or the process has no descriptor left.</exception>
    public static int Open(in TransportAddress bind)
    {
        var isIPv6 = bind.Address.Family == StunAddressFamily.IPv6;
        var descriptor = Libc.Socket(isIPv6 ? Libc.FamilyIPv6 : Libc.FamilyIPv4, Libc.TypeDatagram | Libc.CloseOnExec, 0);
        if (descriptor < 0) throw Failed("socket");
        try
        {
            Set(descriptor, Libc.LevelSocket, Libc.ReceiveBuffer, DatagramSocket.BufferSize);
            Set(descriptor, Libc.LevelSocket, Libc.SendBuffer, DatagramSocket.BufferSize);

            // An unconnected socket reports errors only on request.
            if (isIPv6) Set(descriptor, Libc.LevelIPv6, Libc.ReceiveErrorsIPv6, 1);
            else Set(descriptor, Libc.LevelIPv4, Libc.ReceiveErrorsIPv4, 1);

            // RFC 8656 §14: DF is 0 unless a client asks for 1; Linux would set it to 1 for whatever fits the path as it knows it.
            if (!isIPv6) ForbidFragments(descriptor, false);
            else Set(descriptor, Libc.LevelIPv6, Libc.OnlyIPv6, 1);

            var name = stackalloc byte[NativeAddress.Room];
            if (Libc.Bind(descriptor, name, NativeAddress.Write(bind, name)) < 0) throw Failed("bind");
            return descriptor;
        }
        catch
        {
            _ = Libc.Close(descriptor);
            throw;
        }
    }

    /// <summary>Whether DF is set in what leaves from now on; IPv4 alone has it.</summary>
    public static void ForbidFragments(int descriptor, bool forbid) =>
        Set(descriptor, Libc.LevelIPv4, Libc.PathMtuDiscovery, forbid ? Libc.PathMtuDo : Libc.PathMtuDont);

    private static void Set(int descriptor, int level, int name, int value)
    {
        if (Libc.SetSocketOption(descriptor, level, name, &value, sizeof(int)) < 0) throw Failed("setsockopt");
    }

    private static SocketException Failed(string call)
    {
        var error = Libc.LastError;
        return new SocketException((int)SocketErrorOf(error), $"{call}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    private static SocketError SocketErrorOf(int error) => error switch
    {
        Libc.TooManyFiles or Libc.TooManyFilesOfSystem => SocketError.TooManyOpenSockets,
        Libc.NoMemory or Libc.NoBufferSpace => SocketError.NoBufferSpaceAvailable,
        Libc.AddressInUse => SocketError.AddressAlreadyInUse,
        Libc.AddressNotAvailable => SocketError.AddressNotAvailable,
        _ => SocketError.SocketError,
    };
}
