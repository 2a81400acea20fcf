namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// Connections of one class, the oldest first: of all, for each address, and by the number that an address has. Every operation takes
/// constant time. An address is known only while it has a connection here.
/// </summary>
/// <param name="perAddress">The most that one address ever has.</param>
internal sealed class FairQueue(int perAddress)
{
    // A browser keeps up to six connections to a host, and a page has a WebSocket. An address with this many is not a flood: otherwise a
    // flood of addresses with one connection each would cost browsers theirs.
    private const int OfOneBrowser = 8;

    private readonly Dictionary<string, Address> _addresses = [];
    private readonly LinkedList<AdmittedConnection> _oldestFirst = [];

    // Addresses by their number of connections, those first that have had this number for longest.
    private readonly LinkedList<Address>[] _byNumber = new LinkedList<Address>[perAddress + 1];
    private int _most;

    public int Count => _oldestFirst.Count;

    public int CountOf(string address) => _addresses.GetValueOrDefault(address)?.OldestFirst.Count ?? 0;

    public AdmittedConnection OldestOf(string address) => _addresses[address].OldestFirst.First!.Value;

    /// <summary>
    /// The oldest connection of the address that has most of them. If none has more than a browser needs, the oldest of all. Null if there
    /// is none.
    /// </summary>
    public AdmittedConnection? OldestOfMost() =>
        _most > OfOneBrowser ? _byNumber[_most].First!.Value.OldestFirst.First!.Value : _oldestFirst.First?.Value;

    public void Add(AdmittedConnection connection)
    {
        if (!_addresses.TryGetValue(connection.Address, out var address))
            _addresses.Add(connection.Address, address = new Address(connection.Address));
        address.OldestFirst.AddLast(connection.PlaceOfAddress);
        _oldestFirst.AddLast(connection.Place);
        Move(address);
    }

    public void Remove(AdmittedConnection connection)
    {
        var address = _addresses[connection.Address];
        address.OldestFirst.Remove(connection.PlaceOfAddress);
        _oldestFirst.Remove(connection.Place);
        Move(address);
        if (address.OldestFirst.Count == 0) _addresses.Remove(address.Key);
    }

    // The number of the address has changed by one, so the highest number has also changed by one at most.
    private void Move(Address address)
    {
        address.Place.List?.Remove(address.Place);
        var number = address.OldestFirst.Count;
        if (number > 0) (_byNumber[number] ??= []).AddLast(address.Place);
        if (number > _most) _most = number;
        else if (_byNumber[_most] is not { Count: > 0 }) _most--;
    }

    private sealed class Address
    {
        public Address(string key) => (Key, Place) = (key, new LinkedListNode<Address>(this));

        public string Key { get; }

        public LinkedListNode<Address> Place { get; }

        public LinkedList<AdmittedConnection> OldestFirst { get; } = [];
    }
}
