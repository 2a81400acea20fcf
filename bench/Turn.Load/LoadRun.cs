using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux.Epoll;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Load;

/// <summary>
/// Loads a server in a closed loop: the window limits the datagrams in flight, and each arrival triggers another send. Payload and
/// order of every datagram are checked.
/// </summary>
internal sealed unsafe partial class LoadRun : IDisposable
{
    private const int PeerFlow = int.MaxValue;
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private readonly LoadOptions _options;
    private readonly Socket _peer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly LoadClient[] _clients;
    private readonly TransportAddress[] _relayed;
    private readonly long[] _lastSequence;
    private readonly ReceiveBatch _arrived = new();
    private readonly SendBatch _departing = new(new SegmentLimits());
    private readonly ReceiveBatch _payloads = new();
    private readonly int _epoll = Libc.EpollCreate(0);
    private readonly byte[] _events = new byte[256 * Libc.EpollEventLength];
    private readonly TransportAddress _server;
    private long _sequence;
    private long _wrong;
    private int _flow;

    public LoadRun(LoadOptions options)
    {
        _options = options;
        _server = TransportAddress.From(options.Server);
        _peer.ReceiveBufferSize = 1 << 22;
        _peer.SendBufferSize = 1 << 22;
        _peer.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _clients = new LoadClient[options.Allocations];
        _relayed = new TransportAddress[options.Allocations];
        _lastSequence = new long[options.Allocations];
    }

    /// <summary>Makes the allocations and returns the cost of each one to the server.</summary>
    public SetUpResult SetUp()
    {
        var memory = ServerProcess.ResidentKilobytes(_options.ProcessId);
        var cpu = ServerProcess.CpuMicroseconds(_options.ProcessId);
        var watch = Stopwatch.StartNew();
        var peer = TransportAddress.From((IPEndPoint)_peer.LocalEndPoint!);
        Parallel.For(0, _clients.Length, new ParallelOptions { MaxDegreeOfParallelism = _options.InFlight }, i =>
        {
            _clients[i] = new LoadClient(_options);
            _clients[i].SetUp(peer);
            _relayed[i] = _clients[i].Relayed;
        });

        var result = new SetUpResult(
            (ServerProcess.CpuMicroseconds(_options.ProcessId) - cpu) / _clients.Length,
            _clients.Length / watch.Elapsed.TotalSeconds,
            (double)(ServerProcess.ResidentKilobytes(_options.ProcessId) - memory) / _clients.Length);
        if (_options.Direction != Direction.Down) Watch(PeerDescriptor, PeerFlow);
        if (_options.Direction != Direction.Up)
        {
            for (var i = 0; i < _clients.Length; i++) Watch(_clients[i].Descriptor, i);
        }

        return result;
    }

    /// <summary>Relays this many datagrams and measures the server.</summary>
    public RelayResult Relay(int packets)
    {
        var cpu = ServerProcess.CpuMicroseconds(_options.ProcessId);
        var watch = Stopwatch.StartNew();
        long sent = 0, received = 0, lost = 0;
        var lastProgress = watch.Elapsed;
        while (received + lost < packets)
        {
            var free = (int)Math.Min(_options.Window - (sent - received - lost), packets - sent);
            if (free >= _options.Burst || (free > 0 && sent + free == packets)) sent += Send(free);
            var arrived = Receive();
            received += arrived;
            if (arrived > 0) lastProgress = watch.Elapsed;
            else if (watch.Elapsed - lastProgress > Patience)
            {
                // Later datagrams count as lost.
                lost = sent - received;
                lastProgress = watch.Elapsed;
            }
        }

        var seconds = watch.Elapsed.TotalSeconds;
        return new RelayResult((ServerProcess.CpuMicroseconds(_options.ProcessId) - cpu) / packets, received / seconds, lost, _wrong);
    }

    public void TearDown()
    {
        foreach (var client in _clients) client.TearDown();
    }

    public void Dispose()
    {
        _ = Libc.Close(_epoll);
        _peer.Dispose();
        foreach (var client in _clients) client?.Dispose();
        _arrived.Dispose();
        _departing.Dispose();
        _payloads.Dispose();
    }

    private int PeerDescriptor => (int)_peer.SafeHandle.DangerousGetHandle();

    /// <summary>
    /// Sends datagrams at even intervals, one client after the other. The peer sends each back. The measured round-trip time includes
    /// the generator.
    /// </summary>
    public EchoResult Echo(int packets)
    {
        var times = new List<double>(packets);
        var interval = Stopwatch.Frequency / _options.Rate;
        var cpu = ServerProcess.CpuMicroseconds(_options.ProcessId);
        var start = Stopwatch.GetTimestamp();
        var last = start;
        for (var sent = 0; sent < packets || Stopwatch.GetElapsedTime(last) < Patience;)
        {
            var now = Stopwatch.GetTimestamp();
            var due = start + (sent * interval);
            if (sent < packets && now >= due)
            {
                var payload = Payload(0);
                BinaryPrimitives.WriteInt64BigEndian(payload, now);
                Up(0, _flow);
                Flush(_clients[_flow].Descriptor);
                _flow = (_flow + 1) % _clients.Length;
                last = now;
                sent++;
                continue;
            }

            if (times.Count == packets) break;
            TurnAround(Math.Max(0, due - now), times);
        }

        times.Sort();
        return new EchoResult(
            (ServerProcess.CpuMicroseconds(_options.ProcessId) - cpu) / (2.0 * packets), Percentile(times, 0.5), Percentile(times, 0.99),
            packets - times.Count);
    }

    private static double Percentile(List<double> sorted, double share) =>
        sorted.Count == 0 ? 0 : sorted[(int)(share * (sorted.Count - 1))];

    private void TurnAround(long ticks, List<double> times)
    {
        fixed (byte* events = _events)
        {
            var wait = new WaitTime { Nanoseconds = ticks * (1_000_000_000 / Stopwatch.Frequency) };
            var ready = EpollWait(_epoll, events, 256, &wait, null);
            for (var i = 0; i < ready; i++)
            {
                var flow = (int)*(ulong*)(events + (i * Libc.EpollEventLength) + Libc.EpollDataOffset);
                var count = _arrived.Receive(flow == PeerFlow ? PeerDescriptor : _clients[flow].Descriptor, 0, ReceiveBatch.Capacity);
                for (var slot = 0; slot < count; slot++)
                {
                    if (flow == PeerFlow) _departing.Add(_arrived.Sender(slot), _arrived.Payload(slot), _arrived.Datagram(slot).Length);
                    else if (ChannelData.TryRead(_arrived.Datagram(slot), out _, out var payload))
                        times.Add(Stopwatch.GetElapsedTime(BinaryPrimitives.ReadInt64BigEndian(payload)).TotalMicroseconds);
                }

                if (flow == PeerFlow) Flush(PeerDescriptor);
            }
        }
    }

    /// <summary>Waits with a precision of one nanosecond. The back ends of the server do not need this call.</summary>
    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "epoll_pwait2", SetLastError = true)]
    private static partial int EpollWait(int epoll, byte* events, int maxEvents, WaitTime* timeout, void* signals);

    /// <summary>struct timespec.</summary>
    private struct WaitTime
    {
        public long Seconds;
        public long Nanoseconds;
    }

    private Span<byte> Payload(int slot) => new(_payloads.Payload(slot), _options.Size);

    /// <summary>Puts a slot's payload on a flow's channel.</summary>
    private void Up(int slot, int flow)
    {
        var start = _payloads.Payload(slot) - ChannelData.HeaderLength;
        ChannelData.WriteHeader(new Span<byte>(start, ChannelData.HeaderLength), LoadClient.Channel, _options.Size);
        _departing.Add(_server, start, _options.Size + ChannelData.HeaderLength);
    }

    private int Send(int most)
    {
        var count = Math.Min(most, ReceiveBatch.Capacity);
        count -= count >= _options.Burst ? count % _options.Burst : 0;
        for (var i = 0; i < count; i += _options.Burst) SendBurst(i, Math.Min(_options.Burst, count - i));
        if (_options.Direction == Direction.Down) Flush(PeerDescriptor);
        return count;
    }

    /// <summary>Sends consecutive datagrams of one flow.</summary>
    private void SendBurst(int slot, int count)
    {
        var up = _options.Direction == Direction.Up;
        for (var i = 0; i < count; i++)
        {
            var payload = Payload(slot + i);
            BinaryPrimitives.WriteInt64BigEndian(payload, ++_sequence);
            BinaryPrimitives.WriteInt32BigEndian(payload[8..], _flow);
            if (up) Up(slot + i, _flow);
            else _departing.Add(_relayed[_flow], _payloads.Payload(slot + i), _options.Size);
        }

        if (up) Flush(_clients[_flow].Descriptor);
        _flow = (_flow + 1) % _clients.Length;
    }

    private void Flush(int descriptor)
    {
        // The generator must not drop datagrams. A full socket queue empties within a moment.
        while (_departing.Count > 0 && _departing.Flush(descriptor) > 0)
            throw new InvalidOperationException("the generator's own socket is full; use a smaller window");
    }

    private int Receive()
    {
        var received = 0;
        fixed (byte* events = _events)
        {
            var ready = Libc.EpollWait(_epoll, events, 256, 1);
            for (var i = 0; i < ready; i++)
            {
                var flow = (int)*(ulong*)(events + (i * Libc.EpollEventLength) + Libc.EpollDataOffset);
                var descriptor = flow == PeerFlow ? PeerDescriptor : _clients[flow].Descriptor;
                var count = _arrived.Receive(descriptor, 0, ReceiveBatch.Capacity);
                for (var slot = 0; slot < count; slot++) Check(_arrived.Datagram(slot));
                received += count;
            }
        }

        return received;
    }

    private void Check(ReadOnlySpan<byte> datagram)
    {
        if (_options.Direction == Direction.Down && !ChannelData.TryRead(datagram, out _, out datagram)) _wrong++;
        if (datagram.Length != _options.Size)
        {
            _wrong++;
            return;
        }

        var sequence = BinaryPrimitives.ReadInt64BigEndian(datagram);
        var flow = BinaryPrimitives.ReadInt32BigEndian(datagram[8..]);
        if (sequence <= _lastSequence[flow]) _wrong++;
        _lastSequence[flow] = sequence;
    }

    private void Watch(int descriptor, int flow)
    {
        var epollEvent = stackalloc byte[Libc.EpollEventLength];
        *(uint*)epollEvent = Libc.EpollIn;
        *(ulong*)(epollEvent + Libc.EpollDataOffset) = (uint)flow;
        if (Libc.EpollControl(_epoll, Libc.EpollControlAdd, descriptor, epollEvent) < 0)
            throw new InvalidOperationException("epoll_ctl failed");
    }
}

/// <summary>The cost of each set-up: two Allocates and a ChannelBind.</summary>
internal sealed record SetUpResult(double CpuMicroseconds, double PerSecond, double ResidentKilobytes);

/// <summary>The cost of each relayed datagram, and the number of lost datagrams and of wrong or reordered ones.</summary>
internal sealed record RelayResult(double CpuMicroseconds, double PacketsPerSecond, long Lost, long Wrong);

/// <summary>
/// The cost of each relayed datagram (an echo has two), the round-trip time in microseconds, and the number of lost echoes.
/// </summary>
internal sealed record EchoResult(double CpuMicroseconds, double Median, double Percentile99, long Lost);
