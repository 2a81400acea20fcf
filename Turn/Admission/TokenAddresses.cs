using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// The client addresses from which each token was used at this node, until the token ends. Not safe for several threads.
/// </summary>
/// <param name="most">Addresses for each token.</param>
internal sealed class TokenAddresses(int most)
{
    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly Dictionary<TokenName, (HashSet<InternetAddress> Addresses, DateTimeOffset EndsAt)> _seen = [];
    private DateTimeOffset _purgeAt;

    /// <summary>False when the token was used from as many other addresses as it may.</summary>
    public bool TryAdd(TokenName token, InternetAddress client, DateTimeOffset endsAt, DateTimeOffset now)
    {
        Purge(now);
        var addresses = _seen.TryGetValue(token, out var known) ? known.Addresses : [];
        if (!addresses.Contains(client) && addresses.Count >= most) return false;
        addresses.Add(client);
        _seen[token] = (addresses, endsAt);
        return true;
    }

    private void Purge(DateTimeOffset now)
    {
        if (now < _purgeAt) return;
        _purgeAt = now + PurgeInterval;
        foreach (var (token, (_, endsAt)) in _seen)
        {
            if (now >= endsAt) _seen.Remove(token);
        }
    }
}
