using System.Diagnostics;
using System.Net;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Portable;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>
/// Whether this kernel has what the worker needs, and lets this process use it (a container's seccomp filter or
/// kernel.io_uring_disabled may not): The probe sends one datagram to itself, as the worker does.
/// </summary>
internal static unsafe class IoUringProbe
{
    private const ulong Received = 1;
    private const ulong Sent = 2;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    /// <summary>Null when all is there, else what is not.</summary>
    public static string? Run()
    {
        try
        {
            using var ring = new Ring(8, 16);
            ring.Enable();
            return Echo(ring);
        }
        catch (RingException error)
        {
            return error.Message;
        }
    }

    private static string? Echo(Ring ring)
    {
        using var socket = new DatagramSocket(new IPEndPoint(IPAddress.Loopback, 0));
        var buffers = new RingBuffers(ring, group: 0);
        try
        {
            return Echo(ring, buffers, socket);
        }
        finally
        {
            // The kernel may write into the buffers as long as it has the ring.
            ring.Dispose();
            buffers.Dispose();
        }
    }

    private static string? Echo(Ring ring, RingBuffers buffers, DatagramSocket socket)
    {
        var name = stackalloc byte[NativeAddress.Room];
        var payload = stackalloc byte[] { 1, 2, 3 };
        buffers.Receive(ring, socket.Descriptor, Received);
        ref var send = ref ring.Next();
        send.Operation = RingSubmission.Send;
        send.Flags = RingSubmission.SkipSuccess;
        send.Descriptor = socket.Descriptor;
        send.Address = (ulong)payload;
        send.Length = 3;
        send.MessageFlags = Libc.DontWait | Libc.NoSignal;
        send.Name = name;
        send.NameLength = (ushort)NativeAddress.Write(socket.Local, name);
        send.UserData = Sent;

        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < Limit)
        {
            ring.Enter(wait: false);
            if (!ring.TryRead(out var completion)) continue;
            if (completion.Result < 0)
                return $"{(completion.UserData == Sent ? "a send" : "a receive")} failed with error {-completion.Result}";
            var isOurs = completion is { UserData: Received, HasBuffer: true, HasMore: true }
                && buffers.Sender(completion.Buffer) == socket.Local
                && new ReadOnlySpan<byte>(buffers.Payload(completion.Buffer), buffers.Length(completion.Buffer))
                .SequenceEqual(new ReadOnlySpan<byte>(payload, 3));
            return isOurs ? null : "the datagram that arrived differs from the one that was sent";
        }

        return "nothing arrived";
    }
}
