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

    private readonly SegmentLimits _limits = new();
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
        SetChecksums(false);
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

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [Requirement("NET-01")]
    public void RunThatTheKernelDoesNotCut_CountsForItsDestinationOnly(string backEnd)
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        other.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
        var to = TransportAddress.From((IPEndPoint)other.LocalEndPoint!);
        using var batch = NewBatch(backEnd);
        SetChecksums(false);

        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100)]));

        Assert.False(_limits.Allows(Peer.Address, 100));
        Assert.True(_limits.Allows(Peer.Address, 99));
        Assert.True(_limits.Allows(to.Address, 100));
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (to, 100), (to, 100), (to, 30)]));
        Assert.False(_limits.Allows(to.Address, 100));
        foreach (var length in new[] { 100, 100, 100, 100 }) AssertArrives(length);
        foreach (var length in new[] { 100, 100, 30 }) Assert.Equal(length, other.Receive(new byte[200]));
    }

    /// <summary>The error is of the socket, and says nothing about the destination of the run.</summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [Requirement("NET-01")]
    public void ErrorOfAnEarlierDatagram_IsNotTakenForOneOfTheRun(string backEnd)
    {
        using var batch = NewBatch(backEnd);
        var closed = TransportAddress.From(new IPEndPoint(IPAddress.Loopback, FreePorts.TcpAndUdp()));
        for (var round = 0; round < 5; round++)
        {
            Assert.Equal(0, batch.Send(_relay.Descriptor, [(closed, 10)]));
            Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100)]));
            for (var i = 0; i < 2; i++) AssertArrives(100);
            Assert.True(_limits.Allows(Peer.Address, 100));
        }
    }

    [Fact]
    [Requirement("RFC8656-11.3")]
    public void RunWithoutRoomInTheSocketsBuffer_IsLost()
    {
        Assert.SkipUnless(IoUringProbe.Run() is null, "no io_uring");
        using var batch = new RingSender(_octets, _limits, _relay);
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (Peer, 50)]));
        foreach (var length in new[] { 100, 100, 50 }) AssertArrives(length);

        Assert.Equal(3, batch.SendAgain(batch.Tag(run: 3), Libc.Again));
        Assert.Equal(0, _peer.Available);
        Assert.Equal(0, batch.SendAgain(batch.Tag(run: 3), Libc.Invalid));
        foreach (var length in new[] { 100, 100, 50 }) AssertArrives(length);
    }

    [Fact]
    [Requirement("NET-01")]
    public void ReportOfAnEarlierTurn_IsALoss_AndSendsNothing()
    {
        Assert.SkipUnless(IoUringProbe.Run() is null, "no io_uring");
        using var batch = new RingSender(_octets, _limits, _relay);
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (Peer, 50)]));
        var late = batch.Tag(run: 3);
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 70), (Peer, 60), (Peer, 60), (Peer, 60)]));
        foreach (var length in new[] { 100, 100, 50, 70, 60, 60, 60 }) AssertArrives(length);

        Assert.Equal(3, batch.SendAgain(late, Libc.Invalid));
        Assert.Equal(0, _peer.Available);
    }

    /// <summary>Its descriptor, and its place among the worker's relays, may be another one's by now.</summary>
    [Fact]
    [Requirement("NET-01")]
    public void ReportAboutARelayThatHasClosed_IsALoss_AndSendsNothing()
    {
        Assert.SkipUnless(IoUringProbe.Run() is null, "no io_uring");
        using var batch = new RingSender(_octets, _limits, _relay);
        Assert.Equal(0, batch.Send(_relay.Descriptor, [(Peer, 100), (Peer, 100), (Peer, 50)]));
        foreach (var length in new[] { 100, 100, 50 }) AssertArrives(length);
        _relay.Dispose();
        using var next = new LinuxRelay(
            new IPEndPoint(IPAddress.Loopback, FreePorts.TcpAndUdp()), InternetAddress.Parse("127.0.0.1"), _ => { });

        Assert.Equal(3, batch.SendAgain(batch.Tag(run: 3), Libc.Invalid));
        Assert.Equal(0, _peer.Available);
    }

    private ISender NewBatch(string backEnd)
    {
        if (backEnd == "Epoll") return new EpollSender(_octets, _limits);
        Assert.SkipUnless(IoUringProbe.Run() is null, "no io_uring");
        return new RingSender(_octets, _limits, _relay);
    }

    private void SetChecksums(bool on)
    {
        var value = on ? 0 : 1;
        Assert.Equal(0, Libc.SetSocketOption(_relay.Descriptor, LevelSocket, NoChecksum, &value, sizeof(int)));
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

    private sealed class EpollSender(byte[] octets, SegmentLimits limits) : ISender
    {
        private readonly SendBatch _batch = new(limits);

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
        private readonly RingSendBatch _batch;
        private readonly LinuxRelay _relay;
        private readonly byte[] _octets;
        private ushort _turn;

        public RingSender(byte[] octets, SegmentLimits limits, LinuxRelay relay)
        {
            (_octets, _relay) = (octets, relay);
            _batch = new RingSendBatch(limits);
            _ring.Enable();
        }

        public int Send(int descriptor, List<(TransportAddress To, int Length)> datagrams)
        {
            _batch.Clear();
            foreach (var (to, length) in datagrams)
                _batch.Add(_relay, to, (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _octets[0]), length);
            _batch.Queue(_ring, 0, ++_turn);
            _ring.Enter(wait: false);
            var lost = 0;
            while (_ring.TryRead(out var completion)) lost += SendAgain((uint)completion.UserData, -completion.Result);
            return lost;
        }

        /// <summary>The tag of the first message of the last turn.</summary>
        public uint Tag(int run) => ((uint)run << 9) | ((uint)_turn << 16);

        /// <summary>As if the kernel had refused a message.</summary>
        public int SendAgain(uint tag, int error) => _batch.SendAgain(tag, error, out _);

        public void Dispose()
        {
            _ring.Dispose();
            _batch.Dispose();
        }
    }
}
