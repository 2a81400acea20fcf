using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>
/// Reads ICMP errors about datagrams that a socket has sent (IP_RECVERR, ip(7)): the destination of each, and a struct
/// sock_extended_err.
/// </summary>
internal sealed unsafe class ErrorQueue : IDisposable
{
    private const int PayloadRoom = 64;
    private const int ControlRoom = 512;
    private const int ControlHeader = 16;
    private const byte OriginLocal = 1;
    private const byte OriginIcmp = 2;
    private const byte OriginIcmpv6 = 3;

    private readonly byte* _name = (byte*)NativeMemory.AllocZeroed(NativeAddress.Room);
    private readonly byte* _payload = (byte*)NativeMemory.AllocZeroed(PayloadRoom);
    private readonly byte* _control = (byte*)NativeMemory.AllocZeroed(ControlRoom);
    private readonly IoVector* _vector = (IoVector*)NativeMemory.AllocZeroed((nuint)sizeof(IoVector));
    private readonly MultiMessageHeader* _header = (MultiMessageHeader*)NativeMemory.AllocZeroed((nuint)sizeof(MultiMessageHeader));

    /// <summary>
    /// Reads the next error; false when there is none. An error that is not from ICMP has type 0, and no client is notified of it.
    /// </summary>
    public bool TryRead(int descriptor, out TransportAddress destination, out IcmpError error)
    {
        destination = default;
        error = default;
        *_vector = new IoVector { Start = _payload, Length = PayloadRoom };
        *_header = new MultiMessageHeader
        {
            Name = _name,
            NameLength = NativeAddress.Room,
            Vectors = _vector,
            VectorCount = 1,
            Control = _control,
            ControlLength = ControlRoom,
        };
        if (Libc.ReceiveMany(descriptor, _header, 1, Libc.ErrorQueue | Libc.DontWait, null) <= 0) return false;

        destination = NativeAddress.Read(_name);
        for (var offset = 0; offset + ControlHeader <= (int)_header->ControlLength;)
        {
            var length = (int)*(nuint*)(_control + offset);
            if (length < ControlHeader) break;
            var (level, type) = (*(int*)(_control + offset + 8), *(int*)(_control + offset + 12));
            if ((level, type) is (Libc.LevelIPv4, Libc.ReceiveErrorsIPv4) or (Libc.LevelIPv6, Libc.ReceiveErrorsIPv6))
            {
                var extended = _control + offset + ControlHeader;

                // A datagram that is longer than the path takes, as the kernel knows from an earlier ICMP message.
                if (extended[4] == OriginLocal && *(uint*)extended == Libc.MessageTooLong)
                    error = TooLong(level, *(uint*)(extended + 8));
                if (extended[4] is OriginIcmp or OriginIcmpv6) error = new IcmpError(extended[5], extended[6], *(uint*)(extended + 8));
            }

            offset += (length + 7) & ~7;
        }

        return true;
    }

    // "Fragmentation needed" of RFC 792 and "packet too big" of RFC 4443.
    private static IcmpError TooLong(int level, uint mtu) => level == Libc.LevelIPv6 ? new(2, 0, mtu) : new(3, 4, mtu);

    public void Dispose()
    {
        NativeMemory.Free(_name);
        NativeMemory.Free(_payload);
        NativeMemory.Free(_control);
        NativeMemory.Free(_vector);
        NativeMemory.Free(_header);
    }
}
