namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Bounds the guessing of secrets: counts the failures of each client at each address, for known and unknown clients. The count restarts
/// every minute, so that nothing is kept of callers that left.
/// </summary>
internal sealed class FailedAuthentications(TimeProvider time)
{
    public const int PerMinute = 10;

    // From so many addresses at once the limits of each address do not help. SlowHash bounds the work then.
    private const int MaxEntries = 100_000;

    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Address, string ClientId), int> _failures = [];
    private DateTimeOffset _windowEnd;

    public void Add(string address, string? clientId)
    {
        lock (_gate)
        {
            BeginWindow();
            var key = Key(address, clientId);
            if (_failures.Count < MaxEntries || _failures.ContainsKey(key)) _failures[key] = Count(address, clientId) + 1;
        }
    }

    /// <summary>How long this client must wait at this address; null when it need not.</summary>
    public TimeSpan? Wait(string address, string? clientId)
    {
        lock (_gate)
        {
            BeginWindow();
            return Count(address, clientId) < PerMinute ? null : _windowEnd - time.GetUtcNow();
        }
    }

    // A caller must not fill the memory with long names that it made up.
    private static (string Address, string ClientId) Key(string address, string? clientId) =>
        (address, clientId is { Length: <= ClientSettings.MaxClientIdLength } ? clientId : "");

    private int Count(string address, string? clientId) => _failures.GetValueOrDefault(Key(address, clientId));

    private void BeginWindow()
    {
        var now = time.GetUtcNow();
        if (now < _windowEnd) return;
        _failures.Clear();
        _windowEnd = now + Window;
    }
}
