using System.Collections.Concurrent;
using OpenIddict.EntityFrameworkCore.Models;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Clients that requests have named just now, for all requests. OpenIddict's own cache lasts for one request. What another replica changes
/// has effect here after <see cref="Lifetime"/>. A client that comes from here is read only. Names without a client are here as well:
/// if only these were looked up each time, the response time would show which clients there are.
/// </summary>
internal sealed class ClientCache(TimeProvider time)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    // This bounds the memory, and a busy server with more clients asks the store more often. Callers can make up names, so these have a
    // bound of their own.
    private const int MaxEntries = 10_000;

    private readonly ConcurrentDictionary<string, Entry> _clients = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Entry> _unknown = new(StringComparer.Ordinal);

    /// <summary>Whether it is known which client this is: <paramref name="client"/>, or null for none.</summary>
    public bool TryFind(string clientId, out OpenIddictEntityFrameworkCoreApplication? client)
    {
        client = null;
        if (!_clients.TryGetValue(clientId, out var entry) && !_unknown.TryGetValue(clientId, out entry)) return false;
        client = entry.Client;
        return time.GetElapsedTime(entry.ReadAt) < Lifetime;
    }

    /// <param name="clientId">The client's id.</param>
    /// <param name="client">The client; null when there is none.</param>
    /// <param name="readAt">The timestamp before the store was asked.</param>
    public void Add(string clientId, OpenIddictEntityFrameworkCoreApplication? client, long readAt)
    {
        Remove(clientId);
        var entries = client is null ? _unknown : _clients;
        if (entries.Count >= MaxEntries) entries.Clear();
        entries[clientId] = new Entry(client, readAt);
    }

    public void Remove(string clientId)
    {
        _clients.TryRemove(clientId, out _);
        _unknown.TryRemove(clientId, out _);
    }

    private sealed record Entry(OpenIddictEntityFrameworkCoreApplication? Client, long ReadAt);
}
