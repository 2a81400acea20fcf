using System.Threading.Channels;
using WebRtcIms.Turn.Client.Allocations;
using WebRtcIms.Turn.Client.Authentication;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Transactions;

namespace WebRtcIms.Turn.Client;

/// <summary>
/// A relayed transport address on a server (RFC 8656 §3.2). It is refreshed in time, with its permissions and channels. Disposing
/// it deletes it. When it is lost, <see cref="Received"/> completes with the reason as a <see cref="TurnException"/>, and every
/// other member throws that exception.
/// </summary>
public sealed class TurnAllocation : IAsyncDisposable
{
    /// <summary>Octets of data that one datagram can carry to a peer, over any transport.</summary>
    public const int MaxDataLength = OutgoingData.MaxLength;

    // RFC 7635 §6.2: a message should fit 548 octets. This many IPv6 addresses still do, with the credential.
    private const int PermissionsPerRequest = 12;

    private static readonly TimeSpan DeleteTimeout = TimeSpan.FromSeconds(2);

    private readonly TurnConnection _connection;
    private readonly TurnSession _session;
    private readonly TimeProvider _time;
    private readonly PeerTable _peers = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly Channel<TurnDatagram> _received;
    private readonly KeepAlive _keepAlive;
    private TimeSpan? _wantedLifetime;
    private Exception? _end;

    internal TurnAllocation(
        TurnConnection connection, TurnSession session, TurnClientOptions options, TimeSpan? wantedLifetime, AllocationGrant grant)
    {
        _connection = connection;
        _session = session;
        _time = options.Time;
        _wantedLifetime = wantedLifetime;
        RelayedAddress = grant.Relayed;
        MappedAddress = grant.Mapped;
        Lifetime = grant.Lifetime;
        _received = Channel.CreateBounded<TurnDatagram>(new BoundedChannelOptions(options.ReceiveQueueLength)
        {
            FullMode = BoundedChannelFullMode.DropOldest,
        });
        _keepAlive = new KeepAlive(
            options.Time,
            grant.Lifetime,
            refresh: () => KeepAsync(RefreshAsync),
            permissions: () => KeepAsync(RefreshPermissionsAsync),
            channels: () => KeepAsync(RebindChannelsAsync));
        connection.SetReceiver(new Receiver(this));
    }

    /// <summary>The address that peers send to, and that they see as the sender.</summary>
    public IPEndPoint RelayedAddress { get; }

    /// <summary>This client as the server sees it.</summary>
    public IPEndPoint MappedAddress { get; }

    /// <summary>The lifetime that the server granted last. The expiry of a token limits it (RFC 7635 §9).</summary>
    public TimeSpan Lifetime { get; private set; }

    /// <summary>Datagrams from peers. The queue is bounded; when it is full, the oldest datagram is dropped.</summary>
    public ChannelReader<TurnDatagram> Received => _received.Reader;

    /// <summary>Permits an address of a peer to send to this client from any port, and renews the permission (RFC 8656 §9).</summary>
    /// <exception cref="TurnException">The server refused, such as 403, or did not answer.</exception>
    public async Task CreatePermissionAsync(IPAddress peer, CancellationToken cancellationToken = default)
    {
        var address = InternetAddress.From(Unmapped(peer));
        await CreatePermissionsAsync([address], cancellationToken);
        _peers.AddPermission(address);
    }

    /// <summary>
    /// Binds a channel to a peer, so that data to and from it carries 4 octets of overhead (RFC 8656 §12). A channel is also a
    /// permission. Both are renewed.
    /// </summary>
    /// <exception cref="TurnException">The server refused, such as 403, or did not answer.</exception>
    public async Task BindChannelAsync(IPEndPoint peer, CancellationToken cancellationToken = default)
    {
        var address = TransportAddress.From(Unmapped(peer));
        var channel = _peers.ReserveChannel(address);
        await BindAsync(channel, address, cancellationToken);
        _peers.ChannelBound(address, channel);
    }

    /// <summary>
    /// Sends a datagram: in a channel if one is bound, otherwise as a Send indication (RFC 8656 §11.1, §12.5). Without a permission
    /// the server drops it silently.
    /// </summary>
    /// <exception cref="ArgumentException">The data is longer than <see cref="MaxDataLength"/>.</exception>
    /// <exception cref="TurnException">The server cannot be reached, or the allocation is lost.</exception>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> data, IPEndPoint peer, CancellationToken cancellationToken = default)
    {
        if (data.Length > MaxDataLength) throw new ArgumentException($"A datagram carries at most {MaxDataLength} octets", nameof(data));
        ThrowIfEnded();
        var buffer = ArrayPool<byte>.Shared.Rent(OutgoingData.BufferLength(data.Length));
        try
        {
            var address = TransportAddress.From(Unmapped(peer));
            var length = _peers.TryGetChannel(address, out var channel)
                ? OutgoingData.WriteChannelData(buffer, channel, data.Span)
                : OutgoingData.WriteIndication(buffer, address, data.Span);
            await _connection.SendAsync(buffer.AsMemory(0, length), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Refreshes the allocation now (RFC 8656 §8), and returns the granted lifetime.</summary>
    /// <param name="lifetime">The lifetime to ask for from now on, at least a second. If null, the same as before.</param>
    /// <param name="cancellationToken">Ends the waiting, not the allocation.</param>
    /// <exception cref="TurnException">The server refused or did not answer.</exception>
    public Task<TimeSpan> RefreshAsync(TimeSpan? lifetime = null, CancellationToken cancellationToken = default)
    {
        if (lifetime < TimeSpan.FromSeconds(1))
            throw new ArgumentOutOfRangeException(nameof(lifetime), lifetime, "To end an allocation, dispose it");
        return RefreshAsync(lifetime, renewed: null, cancellationToken);
    }

    /// <summary>
    /// Refreshes the allocation with a new token, which may have another kid, and uses it from then on. The old token is void
    /// (RFC 7635 §9). Call it before the old one expires. If the server refuses, the old token stays in use. If the server does not
    /// answer, either token may be in use: renew again.
    /// </summary>
    /// <exception cref="TurnException">The server refused or did not answer.</exception>
    public Task<TimeSpan> RenewAsync(TurnCredential credential, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(credential);
        return RefreshAsync(lifetime: null, credential, cancellationToken);
    }

    /// <summary>Deletes the allocation. If the server does not answer within two seconds, the allocation expires by itself.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!End(error: null)) return;
        using var timeout = new CancellationTokenSource(DeleteTimeout, _time);
        try
        {
            await _session.RequestAsync(StunMethod.Refresh, AllocationRequests.Refresh(TimeSpan.Zero), timeout.Token);
        }
        catch (Exception error) when (error is TurnException or ObjectDisposedException or OperationCanceledException)
        {
            // The allocation is gone, or expires with its lifetime.
        }
    }

    private Task RefreshAsync(CancellationToken cancel) => RefreshAsync(lifetime: null, renewed: null, cancel);

    private async Task<TimeSpan> RefreshAsync(TimeSpan? lifetime, TurnCredential? renewed, CancellationToken cancel)
    {
        lifetime ??= _wantedLifetime;
        var response = await RequestAsync(StunMethod.Refresh, AllocationRequests.Refresh(lifetime), renewed, cancel);
        if (!response.Message.TryGetUInt32(StunAttributeType.Lifetime, out var granted))
            throw new TurnException("The TURN server's answer to Refresh has no LIFETIME");
        _wantedLifetime = lifetime;
        Lifetime = TimeSpan.FromSeconds(granted);
        _keepAlive.Granted(Lifetime);
        return Lifetime;
    }

    private async Task RefreshPermissionsAsync(CancellationToken cancel)
    {
        foreach (var peers in _peers.Permissions().Chunk(PermissionsPerRequest)) await CreatePermissionsAsync(peers, cancel);
    }

    private async Task RebindChannelsAsync(CancellationToken cancel)
    {
        foreach (var (peer, channel) in _peers.Channels()) await BindAsync(channel, peer, cancel);
    }

    private async Task CreatePermissionsAsync(InternetAddress[] peers, CancellationToken cancel) =>
        await RequestAsync(StunMethod.CreatePermission, AllocationRequests.CreatePermission(peers), renewed: null, cancel);

    private async Task BindAsync(ushort channel, TransportAddress peer, CancellationToken cancel) =>
        await RequestAsync(StunMethod.ChannelBind, AllocationRequests.ChannelBind(channel, peer), renewed: null, cancel);

    private async Task<StunResponse> RequestAsync(StunMethod method, RequestBody body, TurnCredential? renewed, CancellationToken cancel)
    {
        ThrowIfEnded();
        try
        {
            return await _session.RequestAsync(method, body, renewed, cancel);
        }
        catch (TurnException error) when (error.Code == StunError.AllocationMismatch)
        {
            // RFC 8656 §5: the server no longer has an allocation for this path.
            End(error);
            throw;
        }
    }

    /// <summary>Renews one part of the allocation. If that fails, the allocation is lost.</summary>
    private async Task KeepAsync(Func<CancellationToken, Task> renew)
    {
        try
        {
            await renew(_ended.Token);
        }
        catch (Exception error)
        {
            End(error);
        }
    }

    /// <summary>Ends the allocation once; true for the first call. With an error it is lost, without one it is disposed.</summary>
    private bool End(Exception? error)
    {
        var end = error is null
            ? new ObjectDisposedException(nameof(TurnAllocation))
            : error as TurnException ?? (Exception)new TurnException($"The allocation is lost: {error.Message}", error);
        if (Interlocked.CompareExchange(ref _end, end, null) is not null) return false;
        _keepAlive.Dispose();
        _ended.Cancel();
        _connection.SetReceiver(null);
        _received.Writer.TryComplete(error is null ? null : end);
        return true;
    }

    private void ThrowIfEnded()
    {
        if (_end is not { } end) return;
        if (end is TurnException lost) throw new TurnException($"The allocation is lost. {lost.Message}", lost);
        throw new ObjectDisposedException(nameof(TurnAllocation));
    }

    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static IPEndPoint Unmapped(IPEndPoint peer) =>
        peer.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(peer.Address.MapToIPv4(), peer.Port) : peer;

    private sealed class Receiver(TurnAllocation allocation) : IRelayedDataReceiver
    {
        public void Received(ushort channel, ReadOnlySpan<byte> payload)
        {
            if (allocation._peers.PeerOf(channel) is { } peer) Queue(peer, payload);
        }

        public void Received(in TransportAddress peer, ReadOnlySpan<byte> payload) => Queue(peer.ToIPEndPoint(), payload);

        public void Lost(Exception error) => allocation.End(error);

        private void Queue(IPEndPoint peer, ReadOnlySpan<byte> payload) =>
            allocation._received.Writer.TryWrite(new TurnDatagram(peer, payload.ToArray()));
    }
}
