namespace WebRtcIms.Waf.Clients;

/// <summary>Counts the token requests of each client with a limit. The count restarts every minute, and each replica has its own.</summary>
internal sealed class ClientRates(TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _requests = [];
    private DateTimeOffset _windowEnd;

    /// <summary>Counts a request; returns how long the client must wait when it has sent too many.</summary>
    public TimeSpan? Add(string clientId, int perMinute)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (now >= _windowEnd)
            {
                _requests.Clear();
                _windowEnd = now + Window;
            }

            var sent = _requests.GetValueOrDefault(clientId);
            if (sent >= perMinute) return _windowEnd - now;
            _requests[clientId] = sent + 1;
            return null;
        }
    }
}
