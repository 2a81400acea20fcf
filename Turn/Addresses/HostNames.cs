using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Addresses;

/// <summary>The host names in the settings. They are looked up at the start and again once a minute, because addresses change.</summary>
internal sealed partial class HostNames(ILogger<HostNames> logger, Func<string, CancellationToken, Task<IPAddress[]>>? lookUp = null)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly IPAddress[] Loopback = [IPAddress.Loopback, IPAddress.IPv6Loopback];

    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _lookUp = lookUp ?? Dns.GetHostAddressesAsync;
    private readonly ConcurrentDictionary<string, IPAddress[]> _addresses = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, string> _problems = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The addresses of a host: itself if it is an address, and none as long as its name is not found.</summary>
    public IReadOnlyList<IPAddress> AddressesOf(string host)
    {
        if (IPAddress.TryParse(host, out var address)) return [address];
        return string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) ? Loopback : _addresses.GetOrAdd(host, []);
    }

    /// <summary>Looks all names up that have been asked for. A name that is not found keeps its addresses.</summary>
    public Task ResolveAsync(CancellationToken cancel) => Task.WhenAll(_addresses.Keys.Select(name => ResolveAsync(name, cancel)));

    private async Task ResolveAsync(string name, CancellationToken cancel)
    {
        try
        {
            var found = await _lookUp(name, cancel).WaitAsync(Limit, cancel);
            if (found.Length == 0) return;
            _problems.TryRemove(name, out _);
            var former = _addresses.GetValueOrDefault(name);
            _addresses[name] = found;
            if (former is null || !former.ToHashSet().SetEquals(found)) LogResolved(name, string.Join(", ", found.AsEnumerable()));
        }
        catch (Exception error) when (error is SocketException or TimeoutException)
        {
            // Once for each reason.
            var reason = error is SocketException socket ? $"{socket.SocketErrorCode}" : "no answer";
            var isNew = !_problems.TryGetValue(name, out var logged) || logged != reason;
            _problems[name] = reason;
            if (isNew) LogNotFound(name, reason);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "The name {Name} has the addresses {Addresses}")]
    private partial void LogResolved(string name, string addresses);

    [LoggerMessage(
        2, LogLevel.Warning, "The name {Name} of the settings cannot be looked up ({Reason}); it keeps the addresses that it had")]
    private partial void LogNotFound(string name, string reason);
}
