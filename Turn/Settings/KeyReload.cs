using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Replaces the long-term keys when <c>Turn:Keys</c>, the file of <c>Turn:KeysFile</c> or the delivered keys have changed, so that keys
/// roll over without a restart (RFC 7635 §4.1). Allocations keep the credential that they were made with. If one key cannot be used, all
/// the old keys stay.
/// </summary>
internal sealed partial class KeyReload(
    RequestAuthenticator authenticator, TurnSettings settings, IConfiguration configuration, TimeProvider time, ILogger<KeyReload> logger)
    : BackgroundService, IKeyHolder
{
    // Polled: a mounted secret changes its link to another target, which a file watcher does not report.
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private IReadOnlyList<TurnKeySettings> _configured = settings.Keys;
    private IReadOnlyList<TurnKeySettings> _delivered = [];
    private IReadOnlyList<Held> _ring = settings.Keys.ConvertAll(key => new Held(key, time.GetUtcNow(), false));
    private string? _logged;
    private string? _named;

    public bool HasKeys
    {
        get
        {
            var now = time.GetUtcNow();
            return Volatile.Read(ref _ring).Any(held => held.Key.IsLive(now));
        }
    }

    public string? Deliver(LongTermKeys response)
    {
        lock (_gate)
        {
            if (DeliveredKeys.TryRead(response, time.GetUtcNow(), TurnKeySettings.From, key => key.Problem(), out var keys) is { } problem)
                return problem;

            // A key is valid until its exp (RFC 7635 §4.1.1), also when the response no longer has it: a WAF that follows only the RFC
            // sends one key. The tokens of a kid that is revoked are refused before that.
            var others = _delivered.Where(known => keys.TrueForAll(key => key.Kid != known.Kid));
            _delivered = [.. keys.Concat(others).Take(DeliveredKeys.MaxCount)];
            Replace();
            return null;
        }
    }

    /// <summary>Replaces the keys if they have changed and can be used.</summary>
    public void ReloadIfChanged()
    {
        lock (_gate)
        {
            ReadConfigured();
            Replace();
        }
    }

    private void ReadConfigured()
    {
        List<string> problems = [];
        var keys = TurnKeySettings.ReadAll(configuration, problems);
        var problem = problems.FirstOrDefault() ?? Problem(keys);
        if (problem is null) _configured = keys;
        else if (_logged != problem) LogKept(problem);
        _logged = problem;
    }

    private void Replace()
    {
        var now = time.GetUtcNow();
        _delivered = [.. _delivered.Where(key => key.IsLive(now))];

        // A server that changes from settings to delivery may have one key from both.
        List<TurnKeySettings> keys = [.. _configured.Where(key => _delivered.All(other => other.Kid != key.Kid)), .. _delivered];
        if (keys.Count == _ring.Count && keys.Zip(_ring).All(pair => pair.First == pair.Second.Key)) return;
        authenticator.Keys = new AccessTokenKeyRing(keys.ConvertAll(key => key.ToKey()));
        var since = _ring.ToDictionary(held => held.Key.Kid, held => held.Since);
        Volatile.Write(ref _ring, keys.ConvertAll(
            key => new Held(key, since.GetValueOrDefault(key.Kid, now), _delivered.Contains(key))));

        // The end of a delivered key moves with each response. Only other changes are news.
        var named = string.Join(", ", keys.Select(key =>
            key.NotAfter is { } end && !_delivered.Contains(key) ? $"{key.Kid} (until {end.UtcDateTime:u})" : key.Kid));
        if (named == _named) return;
        if (keys.Count > 0) LogReloaded(named);
        else LogNone();
        _named = named;
    }

    public IEnumerable<KeyAge> Ages() =>
        from held in Volatile.Read(ref _ring)
        select new KeyAge(held.Key.Kid, time.GetUtcNow() - held.Since, held.Key.NotAfter - time.GetUtcNow(), held.IsDelivered);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ReadInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) ReloadIfChanged();
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    // The challenges to clients and the key of the nonces depend on whether there are tokens at all.
    private string? Problem(List<TurnKeySettings> keys)
    {
        if (settings.KeyDelivery is not null) return null;
        if (keys.Count == 0 && settings.Keys.Count > 0) return "Turn:Keys is empty; to run without tokens, restart the server";
        if (keys.Count > 0 && settings.Keys.Count == 0) return "Turn:Keys was empty at the start; to accept tokens, restart the server";
        return null;
    }

    private sealed record Held(TurnKeySettings Key, DateTimeOffset Since, bool IsDelivered);

    [LoggerMessage(1, LogLevel.Information, "Tokens are now accepted under the keys {Keys}")]
    private partial void LogReloaded(string keys);

    [LoggerMessage(2, LogLevel.Error, "The keys were not replaced; the old ones stay. {Problem}")]
    private partial void LogKept(string problem);

    [LoggerMessage(3, LogLevel.Error, "All keys have expired; no token is accepted until the WAF delivers another key")]
    private partial void LogNone();
}

/// <summary>How long this node has had a key, and the time until its end.</summary>
internal readonly record struct KeyAge(string Kid, TimeSpan Age, TimeSpan? Remaining, bool IsDelivered);
