using System.Collections.Concurrent;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Clients that requests have named just now, for all requests. OpenIddict's own cache lasts for one request. What another replica changes
/// has effect here after <see cref="Lifetime"/>. Nobody may change a client that comes from here.
/// </summary>
internal sealed class ClientCache(TimeProvider time)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    // Only clients of the store are here. So this bounds the memory, and a busy server with more clients asks the store more often.
    private const int MaxClients = 10_000;

    private readonly ConcurrentDictionary<string, Entry> _clients = new(StringComparer.Ordinal);

    public OpenIddictEntityFrameworkCoreApplication? Find(string clientId) =>
        _clients.TryGetValue(clientId, out var entry) && time.GetElapsedTime(entry.ReadAt) < Lifetime ? entry.Client : null;

    /// <param name="clientId">The client's id.</param>
    /// <param name="client">The client.</param>
    /// <param name="readAt">The timestamp before the store was asked.</param>
    public void Add(string clientId, OpenIddictEntityFrameworkCoreApplication client, long readAt)
    {
        if (_clients.Count >= MaxClients) _clients.Clear();
        _clients[clientId] = new Entry(client, readAt);
    }

    public void Remove(string clientId) => _clients.TryRemove(clientId, out _);

    private sealed record Entry(OpenIddictEntityFrameworkCoreApplication Client, long ReadAt);
}
