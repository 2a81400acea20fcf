using System.Net;
using System.Runtime.InteropServices;

namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// The admission policy for connections that strangers can open. It counts a connection before the part accepts it, per client address
/// and in total. Connections that have proved nothing have small bounds. At a bound the oldest of them gives way: of the same address, or
/// of the address that has most of them, or of all if no address has more than a browser needs. So a flood of one address costs other
/// addresses nothing, and a flood of many addresses costs a browser no more than the others. Connections with a request in flight
/// give way after all others, and authenticated ones never. Each operation takes constant time, and an address is known only while it has
/// a connection.
/// </summary>
public sealed partial class ConnectionAdmission
{
    private readonly string _part;
    private readonly ConnectionLimits _limits;
    private readonly Counter<long> _limited;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly FairQueue _unauthenticated;
    private readonly FairQueue _active;
    private readonly Dictionary<string, int> _authenticated = [];
    private int _authenticatedTotal;
    private long _ofProxies;

    /// <param name="part">The tag of measurements and the name in log records, such as <c>epcscf</c>.</param>
    /// <param name="limits">The bounds; each is 1 or more.</param>
    /// <param name="factory">Makes the meter.</param>
    /// <param name="logger">Gets a record each time a limit acts; the service bounds their rate.</param>
    public ConnectionAdmission(string part, ConnectionLimits limits, IMeterFactory factory, ILogger<ConnectionAdmission> logger)
    {
        (_part, _limits, _logger) = (part, limits, logger);
        (_unauthenticated, _active) = (new(limits.UnauthenticatedPerAddress), new(limits.UnauthenticatedPerAddress));
        _limited = factory.Create("WebRtcIms.Admission").CreateCounter<long>(
            "connections.limited", description: "Connections that gave way or were refused, by part and limit");
    }

    /// <summary>Which bound acted.</summary>
    private enum Limit
    {
        None,
        UnauthenticatedOfAddress,
        Unauthenticated,
        AuthenticatedOfAddress,
        Total,
    }

    /// <summary>Proxies, each of which has the connections of many clients. These count only in total.</summary>
    public IReadOnlyList<IPNetwork> Proxies { get; init; } = [];

    public int Unauthenticated
    {
        get
        {
            lock (_gate) return _unauthenticated.Count;
        }
    }

    public int Authenticated
    {
        get
        {
            lock (_gate) return _authenticatedTotal;
        }
    }

    /// <summary>Connections of every class.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return Total;
        }
    }

    public int MostOpen => _limits.MostOpen;

    private int Total => _unauthenticated.Count + _active.Count + _authenticatedTotal;

    /// <summary>Admits a connection, as unauthenticated. Null if the total is reached and none may give way.</summary>
    /// <param name="address">The client's address.</param>
    /// <param name="giveWay">Closes the connection. It runs at most once, on the thread of the connection that takes the place.</param>
    public AdmittedConnection? TryAdmit(IPAddress? address, Action giveWay)
    {
        var connection = new AdmittedConnection(this, KeyOf(address), giveWay);
        AdmittedConnection? evicted;
        Limit limit;
        lock (_gate)
        {
            limit = LimitOf(connection.Address, _limits.Total);
            evicted = Evict(limit, connection.Address);
            if (limit == Limit.None || evicted is not null) Add(connection, ConnectionClass.Unauthenticated);
        }

        Act(limit, evicted);
        return limit == Limit.None || evicted is not null ? connection : null;
    }

    /// <summary>False if the address has too many connections of the class, or this one has given way.</summary>
    internal bool TryChange(AdmittedConnection connection, ConnectionClass next)
    {
        lock (_gate)
        {
            if (connection.Class == ConnectionClass.Released) return false;
            if (connection.Class >= next) return true;
            var hasRoom = next == ConnectionClass.Active
                ? _active.CountOf(connection.Address) < _limits.UnauthenticatedPerAddress && _active.Count < _limits.Unauthenticated
                : _authenticated.GetValueOrDefault(connection.Address) < _limits.AuthenticatedPerAddress;
            if (hasRoom)
            {
                Remove(connection);
                Add(connection, next);
                return true;
            }
        }

        if (next == ConnectionClass.Authenticated) Act(Limit.AuthenticatedOfAddress, null);
        return false;
    }

    /// <summary>The connection becomes the youngest of the unauthenticated ones.</summary>
    internal void Demote(AdmittedConnection connection)
    {
        AdmittedConnection? evicted;
        Limit limit;
        lock (_gate)
        {
            if (connection.Class is ConnectionClass.Released or ConnectionClass.Unauthenticated) return;
            Remove(connection);
            limit = LimitOf(connection.Address, int.MaxValue);
            evicted = Evict(limit, connection.Address);
            Add(connection, ConnectionClass.Unauthenticated);
        }

        Act(limit, evicted);
    }

    internal void Release(AdmittedConnection connection)
    {
        lock (_gate) Remove(connection);
    }

    private string KeyOf(IPAddress? address)
    {
        var key = CallerAddress.Of(address);
        if (address is null || Proxies.Count == 0) return key;
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return Proxies.Any(proxies => proxies.Contains(plain))
            ? $"{key} {Interlocked.Increment(ref _ofProxies)}" : key;
    }

    private Limit LimitOf(string address, int total) =>
        _unauthenticated.CountOf(address) >= _limits.UnauthenticatedPerAddress ? Limit.UnauthenticatedOfAddress
        : _unauthenticated.Count >= _limits.Unauthenticated ? Limit.Unauthenticated
        : Total >= total ? Limit.Total
        : Limit.None;

    private AdmittedConnection? Evict(Limit limit, string address)
    {
        var evicted = limit switch
        {
            Limit.None => null,
            Limit.UnauthenticatedOfAddress => _unauthenticated.OldestOf(address),
            _ => _unauthenticated.OldestOfMost() ?? _active.OldestOfMost(),
        };
        if (evicted is not null) Remove(evicted);
        return evicted;
    }

    private void Add(AdmittedConnection connection, ConnectionClass next)
    {
        connection.Class = next;
        if (next == ConnectionClass.Unauthenticated) _unauthenticated.Add(connection);
        else if (next == ConnectionClass.Active) _active.Add(connection);
        else CountAuthenticated(connection.Address, 1);
    }

    private void Remove(AdmittedConnection connection)
    {
        if (connection.Class == ConnectionClass.Unauthenticated) _unauthenticated.Remove(connection);
        else if (connection.Class == ConnectionClass.Active) _active.Remove(connection);
        else if (connection.Class == ConnectionClass.Authenticated) CountAuthenticated(connection.Address, -1);
        connection.Class = ConnectionClass.Released;
    }

    private void CountAuthenticated(string address, int change)
    {
        ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(_authenticated, address, out _);
        count += change;
        _authenticatedTotal += change;
        if (count == 0) _authenticated.Remove(address);
    }

    private void Act(Limit limit, AdmittedConnection? evicted)
    {
        if (limit == Limit.None) return;
        var name = limit switch
        {
            Limit.UnauthenticatedOfAddress => "unauthenticated_of_address",
            Limit.Unauthenticated => "unauthenticated",
            Limit.AuthenticatedOfAddress => "authenticated_of_address",
            _ => "total",
        };
        _limited.Add(1, new("part", _part), new("limit", name), new("action", evicted is null ? "refused" : "gave_way"));
        if (evicted is null) LogRefused(_part, name);
        else LogGaveWay(_part, name);
        evicted?.GiveWay();
    }

    [LoggerMessage(1, LogLevel.Warning, "{Part}: a connection was refused; the limit is {Limit}")]
    private partial void LogRefused(string part, string limit);

    [LoggerMessage(2, LogLevel.Warning, "{Part}: the oldest connection that may give way was closed for a new one; the limit is {Limit}")]
    private partial void LogGaveWay(string part, string limit);
}
