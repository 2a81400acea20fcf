using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Linux.Epoll;
using WebRtcIms.Turn.Transport.Linux.IoUring;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>What happens to datagrams that the kernel refuses, by both ways to send many at once.</summary>
public sealed unsafe class SendBatchTests : IDisposable
{
    // SOL_SOCKET and SO_NO_CHECK: without checksums the kernel refuses UDP_SEGMENT with EINVAL.
    private const int LevelSocket = 1;
    private const int NoChecksum = 11;

    private readonly LinuxRelay _relay;
    private readonly Socket _peer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
    private readonly byte[] _octets = GC.AllocateArray<byte>(1 << 17, pinned: true);

    public SendBatchTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "system calls of Linux");
        var port = FreePorts.TcpAndUdp();
        _relay = new LinuxRelay(new IPEndPoint(IPAddress.Loopback, port), InternetAddress.Parse("127.0.0.1"), _ => { });
        _peer.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        for (var i = 0; i < _octets.Length; i++) _octets[i] = (byte)(i / 100);
    }

    private TransportAddress Peer => TransportAddress.From((IPEndPoint)_peer.LocalEndPoint!);

    public void Dispose()
    {
        _relay?.Dispose();
        _peer.Dispose();
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [Requirement("RFC8656-11.3")]
    public void RunThatTheKernelDoesNotCut_ArrivesOneByOne_AndSoDoesTheNext(string backEnd)
    {
        using var batch = NewBatch(backEnd);
        var on = 1;
        Assert.Equal(0, Libc.SetSocketOption(_relay.Descriptor, LevelSocket, NoChecksum, &on, sizeof(int)));
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (Peer, 50), (Peer, 200), (Peer, 200)]));
            foreach (var length in new[] { 100, 100, 50, 200, 200 }) AssertArrives(length);
        }
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [Requirement("RFC8656-11.3")]
    public void DatagramThatIsTooLong_IsLost_AndTheOthersArrive(string backEnd)
    {
        using var batch = NewBatch(backEnd);

        Assert.Equal(1, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 65_508), (Peer, 300), (Peer, 300)]));

        foreach (var length in new[] { 100, 300, 300 }) AssertArrives(length);
    }

    [Theory]
    [InlineData("Epoll", 1)]
    [InlineData("Epoll", 3)]
    [InlineData("IoUring", 1)]
    [InlineData("IoUring", 3)]
    [Requirement("ABUSE-70")]
    public void ErrorOfAnEarlierDatagram_LosesNone(string backEnd, int count)
    {
        using var batch = NewBatch(backEnd);
        var closed = TransportAddress.From(new IPEndPoint(IPAddress.Loopback, FreePorts.TcpAndUdp()));
        for (var round = 0; round < 5; round++)
        {
            Assert.Equal(0, batch.Send(_relay.Descriptor, [(closed, 10)]));
            Assert.Equal(0, batch.Send(_relay.Descriptor, [.. Enumerable.Repeat((Peer, 100), count)]));
            for (var i = 0; i < count; i++) AssertArrives(100);
        }
    }

    [Fact]
    [Requirement("RFC8656-11.3")]
    public void RunWithoutRoomInTheSocketsBuffer_IsLost_AndARunThatCannotBeCutIsTheLast()
    {
        Assert.SkipUnless(IoUringProbe.Run() is null, "no io_uring");
        using var batch = new RingSender(_octets);
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (Peer, 50)]));
        foreach (var length in new[] { 100, 100, 50 }) AssertArrives(length);

        Assert.Equal(3, batch.SendAgain(Libc.Again));
        Assert.Equal(0, _peer.Available);
        Assert.Equal(3, batch.FirstRun);
        Assert.Equal(0, batch.SendAgain(Libc.Invalid));
        foreach (var length in new[] { 100, 100, 50 }) AssertArrives(length);
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (Peer, 50)]));
        Assert.Equal(1, batch.FirstRun);
    }

    private ISender NewBatch(string backEnd)
    {
        if (backEnd == "Epoll") return new EpollSender(_octets);
        Assert.SkipUnless(IoUringProbe.Run() is null, "no io_uring");
        return new RingSender(_octets);
    }

    private void AssertArrives(int length)
    {
        var buffer = new byte[1 << 16];
        Assert.Equal(length, _peer.Receive(buffer));
    }

    private interface ISender : IDisposable
    {
        /// <summary>Sends datagrams of these lengths, and returns how many were lost.</summary>
        int Send(int descriptor, List<(TransportAddress To, int Length)> datagrams);
    }

    private sealed class EpollSender(byte[] octets) : ISender
    {
        private readonly SendBatch _batch = new();

        public int Send(int descriptor, List<(TransportAddress To, int Length)> datagrams)
        {
            foreach (var (to, length) in datagrams)
                _batch.Add(to, (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref octets[0]), length);
            return _batch.Flush(descriptor);
        }

        public void Dispose() => _batch.Dispose();
    }

    private sealed class RingSender : ISender
    {
        private readonly Ring _ring = new(64, 128);
        private readonly RingSendBatch _batch = new();
        private readonly byte[] _octets;

        public RingSender(byte[] octets)
        {
            _octets = octets;
            _ring.Enable();
        }

        public int Send(int descriptor, List<(TransportAddress To, int Length)> datagrams)
        {
            _batch.Clear();
            foreach (var (to, length) in datagrams)
                _batch.Add(descriptor, -1, to, (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _octets[0]), length);
            _batch.Queue(_ring, 0);
            _ring.Enter(wait: false);
            var lost = 0;
            while (_ring.TryRead(out var completion)) lost += _batch.SendAgain((int)completion.UserData, -completion.Result);
            return lost;
        }

        public int FirstRun => _batch.RunOf(0);

        /// <summary>As if the kernel had refused the first message.</summary>
        public int SendAgain(int error) => _batch.SendAgain(0, error);

        public void Dispose()
        {
            _ring.Dispose();
            _batch.Dispose();
        }
    }
}
