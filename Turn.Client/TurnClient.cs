using WebRtcIms.Turn.Client.Authentication;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Transactions;
using WebRtcIms.Turn.Client.Transport;

namespace WebRtcIms.Turn.Client;

/// <summary>
/// A TURN client (RFC 8656) on one path to one server, over UDP, TCP or TLS. It authenticates by password or by an OAuth 2.0
/// access token (RFC 7635). All members are safe for use by several threads.
/// </summary>
public sealed class TurnClient : IAsyncDisposable
{
    private readonly TurnConnection _connection;
    private readonly TurnClientOptions _options;
    private TurnAllocation? _allocation;

    internal TurnClient(ITurnTransport transport, TurnClientOptions options)
    {
        _options = options;
        _connection = new TurnConnection(transport, options.Time);
    }

    /// <summary>Opens the path. Over UDP nothing is sent yet; the first address of the host with a route is used.</summary>
    /// <exception cref="TurnException">The host is unknown, refuses the connection, or has a wrong certificate.</exception>
    /// <exception cref="NotSupportedException">The URI asks for DTLS.</exception>
    public static async Task<TurnClient> ConnectAsync(
        TurnUri server, TurnClientOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new TurnClientOptions();
        return new TurnClient(await TurnTransports.OpenAsync(server, options.Tls, options.Time, cancellationToken), options);
    }

    /// <summary>Gets the address of this client as the server sees it, by a Binding request (RFC 8489 §3).</summary>
    /// <exception cref="TurnException">The server refused or did not answer.</exception>
    public async Task<IPEndPoint> GetMappedAddressAsync(CancellationToken cancellationToken = default)
    {
        var id = TransactionIds.Next();
        var request = new byte[StunHeader.Length];
        _ = new StunMessageWriter(request, StunMethod.Binding, StunClass.Request, id);
        var response = await _connection.ExchangeAsync(new Transaction(StunMethod.Binding, id, request, key: null), cancellationToken);
        if (response.Error != StunError.None) throw new TurnException(StunMethod.Binding, response.Error, response.Reason);
        return AddressIn(response, StunAttributeType.XorMappedAddress);
    }

    /// <summary>
    /// Makes an allocation for UDP (RFC 8656 §7). It is kept alive until it is disposed or lost. A path has one allocation at a time.
    /// </summary>
    /// <exception cref="TurnException">The server refused, with the code of its answer, or did not answer.</exception>
    public async Task<TurnAllocation> AllocateAsync(
        TurnCredential credential, TurnAllocationOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new TurnAllocationOptions();
        var session = new TurnSession(_connection, credential);
        var response = await session.RequestAsync(StunMethod.Allocate, options.Write, cancellationToken);
        return _allocation = new TurnAllocation(_connection, session, _options, options.Lifetime, Read(response));
    }

    /// <summary>Deletes the allocation, if there is one, and closes the path.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_allocation is { } allocation) await allocation.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private static AllocationGrant Read(StunResponse response)
    {
        if (!response.Message.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime) || lifetime == 0)
            throw new TurnException("The TURN server's answer to Allocate has no LIFETIME");
        return new AllocationGrant(
            AddressIn(response, StunAttributeType.XorRelayedAddress),
            AddressIn(response, StunAttributeType.XorMappedAddress),
            TimeSpan.FromSeconds(lifetime));
    }

    private static IPEndPoint AddressIn(StunResponse response, StunAttributeType type) =>
        response.Message.TryGetXorAddress(type, out var address)
            ? address.ToIPEndPoint()
            : throw new TurnException($"The TURN server's answer to {response.Message.Method} has no {type}");
}
