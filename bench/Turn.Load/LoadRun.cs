using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Transport.Linux;

namespace WebRtcIms.Turn.Load;

/// <summary>
/// A closed loop: as many datagrams as the window allows are on their way; each that arrives lets another one go. Payload and
/// order of every datagram are checked.
/// </summary>
internal sealed unsafe class LoadRun : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private readonly LoadOptions _options;
    private readonly Socket _peer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly LoadClient[] _clients;
    private readonly TransportAddress[] _relayed;
    private readonly long[] _lastSequence;
    private readonly ReceiveBatch _arrived = new();
    private readonly SendBatch _departing = new();
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

    /// <summary>Makes the allocations and returns what each cost the server.</summary>
    public SetUpResult SetUp()
    {
        var memory = ServerProcess.ResidentKilobytes(_options.ProcessId);
        var cpu = ServerProcess.CpuMicroseconds(_options.ProcessId);
        var watch = Stopwatch.StartNew();
        var peer = TransportAddress.From((IPEndPoint)_peer.LocalEndPoint!);
        for (var i = 0; i < _clients.Length; i++)
        {
            _clients[i] = new LoadClient(_options);
            _clients[i].SetUp(peer);
            _relayed[i] = _clients[i].Relayed;
        }

        var result = new SetUpResult(
            (ServerProcess.CpuMicroseconds(_options.ProcessId) - cpu) / _clients.Length,
            _clients.Length / watch.Elapsed.TotalSeconds,
            (double)(ServerProcess.ResidentKilobytes(_options.ProcessId) - memory) / _clients.Length);
        if (_options.Direction == Direction.Up) Watch((int)_peer.SafeHandle.DangerousGetHandle(), 0);
        else
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
                // What has not come by now will not come.
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

    private int Send(int most)
    {
        var count = Math.Min(most, ReceiveBatch.Capacity);
        count -= count >= _options.Burst ? count % _options.Burst : 0;
        for (var i = 0; i < count; i += _options.Burst) SendBurst(i, Math.Min(_options.Burst, count - i));
        if (_options.Direction == Direction.Down) Flush((int)_peer.SafeHandle.DangerousGetHandle());
        return count;
    }

    /// <summary>Datagrams of one flow in a row.</summary>
    private void SendBurst(int slot, int count)
    {
        var up = _options.Direction == Direction.Up;
        for (var i = 0; i < count; i++)
        {
            var start = _payloads.Payload(slot + i);
            var payload = new Span<byte>(start, _options.Size);
            BinaryPrimitives.WriteInt64BigEndian(payload, ++_sequence);
            BinaryPrimitives.WriteInt32BigEndian(payload[8..], _flow);
            if (!up)
            {
                _departing.Add(_relayed[_flow], start, _options.Size);
                continue;
            }

            ChannelData.WriteHeader(new Span<byte>(start - ChannelData.HeaderLength, ChannelData.HeaderLength), LoadClient.Channel, _options.Size);
            _departing.Add(_server, start - ChannelData.HeaderLength, _options.Size + ChannelData.HeaderLength);
        }

        if (up) Flush(_clients[_flow].Descriptor);
        _flow = (_flow + 1) % _clients.Length;
    }

    private void Flush(int descriptor)
    {
        // The generator must not lose by itself: a full queue empties in a moment.
        while (_departing.Count > 0 && _departing.Flush(descriptor) > 0) throw new InvalidOperationException("the generator's own socket is full; use a smaller window");
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
                var descriptor = _options.Direction == Direction.Up ? (int)_peer.SafeHandle.DangerousGetHandle() : _clients[flow].Descriptor;
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
        if (Libc.EpollControl(_epoll, Libc.EpollControlAdd, descriptor, epollEvent) < 0) throw new InvalidOperationException("epoll_ctl failed");
    }
}

/// <summary>What setting up cost, per allocation (two Allocates and a ChannelBind).</summary>
internal sealed record SetUpResult(double CpuMicroseconds, double PerSecond, double ResidentKilobytes);

/// <summary>What relaying cost, per datagram; and how many were lost, or came wrong or out of order.</summary>
internal sealed record RelayResult(double CpuMicroseconds, double PacketsPerSecond, long Lost, long Wrong);
