using System.Net;

namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// The admission policy for connections that strangers can open. It counts a connection before the part accepts it, per client address
/// and in total. Connections that have proved nothing have small bounds. At a bound the oldest of them gives way: of the same address, or
/// of the address that has most of them. So a flood of one address costs other addresses nothing. Authenticated connections never give
/// way. Each operation takes constant time, and an address is known only while it has a connection.
/// </summary>
public sealed partial class ConnectionAdmission
{
    private readonly string _part;
    private readonly ConnectionLimits _limits;
    private readonly Counter<long> _limited;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Address> _addresses = [];

    // Addresses by the number of their unauthenticated connections, those first that have had this number for longest.
    private readonly LinkedList<Address>[] _byNumber;
    private int _most;
    private int _unauthenticated;
    private int _authenticated;

    /// <param name="part">The tag of measurements and the name in log records, such as <c>epcscf</c>.</param>
    /// <param name="limits">The bounds; each is 1 or more.</param>
    /// <param name="factory">Makes the meter.</param>
    /// <param name="logger">Gets a record each time a limit acts; the service bounds their rate.</param>
    public ConnectionAdmission(string part, ConnectionLimits limits, IMeterFactory factory, ILogger<ConnectionAdmission> logger)
    {
        (_part, _limits, _logger) = (part, limits, logger);
        _byNumber = new LinkedList<Address>[limits.UnauthenticatedPerAddress + 1];
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

    public int Unauthenticated => Volatile.Read(ref _unauthenticated);

    public int Authenticated => Volatile.Read(ref _authenticated);

    public int Count => Unauthenticated + Authenticated;

    /// <summary>Addresses that have a connection.</summary>
    public int Addresses
    {
        get
        {
            lock (_gate) return _addresses.Count;
        }
    }

    /// <summary>Admits a connection, as unauthenticated. Null if all connections are authenticated and the total is reached.</summary>
    /// <param name="address">The client's address.</param>
    /// <param name="giveWay">Closes the connection. It runs at most once, on the thread of the connection that takes the place.</param>
    public AdmittedConnection? TryAdmit(IPAddress? address, Action giveWay)
    {
        var key = CallerAddress.Of(address);
        AdmittedConnection? connection = null, evicted = null;
        Limit limit;
        lock (_gate)
        {
            limit = LimitOf(key, _limits.Total);
            if (limit != Limit.None) evicted = Evict(limit, key);
            if (limit == Limit.None || evicted is not null)
            {
                connection = new AdmittedConnection(this, AddressOf(key), giveWay);
                AddUnauthenticated(connection);
            }
        }

        Act(limit, evicted);
        return connection;
    }

    /// <summary>False if the address has too many authenticated connections, or this one has given way.</summary>
    internal bool TryAuthenticate(AdmittedConnection connection)
    {
        lock (_gate)
        {
            if (connection.Class != ConnectionClass.Unauthenticated) return connection.Class == ConnectionClass.Authenticated;
            if (connection.Address.Authenticated < _limits.AuthenticatedPerAddress)
            {
                RemoveUnauthenticated(connection);
                connection.Class = ConnectionClass.Authenticated;
                connection.Address.Authenticated++;
                _authenticated++;
                return true;
            }
        }

        Act(Limit.AuthenticatedOfAddress, null);
        return false;
    }

    /// <summary>The connection has lost its authentication. It becomes the youngest of the unauthenticated ones.</summary>
    internal void LoseAuthentication(AdmittedConnection connection)
    {
        AdmittedConnection? evicted = null;
        Limit limit;
        lock (_gate)
        {
            if (connection.Class != ConnectionClass.Authenticated) return;
            RemoveAuthenticated(connection);
            limit = LimitOf(connection.Address.Key, int.MaxValue);
            if (limit != Limit.None) evicted = Evict(limit, connection.Address.Key);
            AddUnauthenticated(connection);
        }

        Act(limit, evicted);
    }

    internal void Release(AdmittedConnection connection)
    {
        lock (_gate) Remove(connection);
    }

    private Limit LimitOf(string key, int total) =>
        _addresses.GetValueOrDefault(key)?.Unauthenticated.Count >= _limits.UnauthenticatedPerAddress ? Limit.UnauthenticatedOfAddress
        : _unauthenticated >= _limits.Unauthenticated ? Limit.Unauthenticated
        : _unauthenticated + _authenticated >= total ? Limit.Total
        : Limit.None;

    private AdmittedConnection? Evict(Limit limit, string key)
    {
        var address = limit == Limit.UnauthenticatedOfAddress ? _addresses[key] : _most > 0 ? _byNumber[_most].First!.Value : null;
        if (address is null) return null;
        var oldest = address.Unauthenticated.First!.Value;
        Remove(oldest);
        return oldest;
    }

    private void Remove(AdmittedConnection connection)
    {
        if (connection.Class == ConnectionClass.Released) return;
        if (connection.Class == ConnectionClass.Authenticated) RemoveAuthenticated(connection);
        else RemoveUnauthenticated(connection);
        connection.Class = ConnectionClass.Released;
        var address = connection.Address;
        if (address.Unauthenticated.Count + address.Authenticated == 0) _addresses.Remove(address.Key);
    }

    private Address AddressOf(string key)
    {
        if (!_addresses.TryGetValue(key, out var address)) _addresses.Add(key, address = new Address(key));
        return address;
    }

    private void AddUnauthenticated(AdmittedConnection connection)
    {
        connection.Class = ConnectionClass.Unauthenticated;

        // The last connection of an address may have given way to this one.
        var address = connection.Address;
        _addresses.TryAdd(address.Key, address);
        address.Unauthenticated.AddLast(connection.Place);
        _unauthenticated++;
        Sort(address);
    }

    private void RemoveUnauthenticated(AdmittedConnection connection)
    {
        connection.Address.Unauthenticated.Remove(connection.Place);
        _unauthenticated--;
        Sort(connection.Address);
    }

    private void RemoveAuthenticated(AdmittedConnection connection)
    {
        connection.Address.Authenticated--;
        _authenticated--;
    }

    // The number of the address has changed by one.
    private void Sort(Address address)
    {
        address.Place.List?.Remove(address.Place);
        var number = address.Unauthenticated.Count;
        if (number > 0) (_byNumber[number] ??= []).AddLast(address.Place);
        _most = Math.Max(_most, number);
        while (_most > 0 && _byNumber[_most] is not { Count: > 0 }) _most--;
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

    [LoggerMessage(2, LogLevel.Warning, "{Part}: the oldest unauthenticated connection gave way to a new one; the limit is {Limit}")]
    private partial void LogGaveWay(string part, string limit);

    /// <summary>The connections of one client address.</summary>
    internal sealed class Address
    {
        public Address(string key) => (Key, Place) = (key, new LinkedListNode<Address>(this));

        public string Key { get; }

        public LinkedListNode<Address> Place { get; }

        /// <summary>Oldest first.</summary>
        public LinkedList<AdmittedConnection> Unauthenticated { get; } = [];

        public int Authenticated { get; set; }
    }
}
