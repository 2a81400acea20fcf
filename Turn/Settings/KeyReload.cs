using System.Buffers.Text;
using WebRtcIms.Contracts;
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
    : BackgroundService
{
    // Polled: a mounted secret changes its link to another target, which a file watcher does not report.
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private IReadOnlyList<Held> _ring = settings.Keys.ConvertAll(key => new Held(key, time.GetUtcNow()));
    private volatile IReadOnlyList<TurnKeySettings> _delivered = [];
    private string? _logged;
    private string? _named;

    /// <summary>Whether a token can be decrypted at all.</summary>
    public bool HasKeys => Volatile.Read(ref _ring).Count > 0;

    /// <summary>Uses the keys of a response of the WAF from the next reload on. Returns the problem if one cannot be used.</summary>
    public string? Deliver(LongTermKeys response)
    {
        var keys = response.All.Select(ToSettings).ToList();
        if (keys.Select(key => key.Problem()).FirstOrDefault(problem => problem is not null) is { } problem) return $"a key cannot be used: {problem}";
        _delivered = keys;
        ReloadIfChanged();
        return null;
    }

    /// <summary>Replaces the keys if they have changed and can be used.</summary>
    public void ReloadIfChanged()
    {
        lock (_gate) Reload();
    }

    private static TurnKeySettings ToSettings(LongTermKey key) => new()
    {
        Kid = key.Kid,
        Key = Base64Url.IsValid(key.K) ? Convert.ToBase64String(Base64Url.DecodeFromChars(key.K)) : "?",
        Algorithm = key.Enc,
        NotAfter = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(key.Exp, 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds())),
    };

    private void Reload()
    {
        List<string> problems = [];
        var delivered = _delivered;
        var keys = TurnKeySettings.ReadAll(configuration, problems);

        // The WAF also delivers the key that both began with. It knows when that one ends.
        keys.RemoveAll(key => delivered.Any(other => other.Kid == key.Kid));
        keys.AddRange(delivered);
        if ((problems.FirstOrDefault() ?? Problem(keys)) is { } problem)
        {
            if (_logged != problem) LogKept(problem);
            _logged = problem;
            return;
        }

        _logged = null;
        if (keys.Count == _ring.Count && keys.Zip(_ring).All(pair => pair.First == pair.Second.Key)) return;
        authenticator.Keys = new AccessTokenKeyRing(keys.ConvertAll(key => key.ToKey()));
        var since = _ring.ToDictionary(held => held.Key.Kid, held => held.Since);
        Volatile.Write(ref _ring, keys.ConvertAll(key => new Held(key, since.GetValueOrDefault(key.Kid, time.GetUtcNow()))));

        // The end of a delivered key moves with each response. Only other changes are news.
        var named = string.Join(", ", keys.Select(key =>
            key.NotAfter is { } end && !delivered.Contains(key) ? $"{key.Kid} (until {end.UtcDateTime:u})" : key.Kid));
        if (named != _named) LogReloaded(named);
        _named = named;
    }

    public IEnumerable<KeyAge> Ages() =>
        from held in Volatile.Read(ref _ring)
        select new KeyAge(held.Key.Kid, time.GetUtcNow() - held.Since, held.Key.NotAfter - time.GetUtcNow());

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

    private sealed record Held(TurnKeySettings Key, DateTimeOffset Since);

    [LoggerMessage(1, LogLevel.Information, "Tokens are now accepted under the keys {Keys}")]
    private partial void LogReloaded(string keys);

    [LoggerMessage(2, LogLevel.Error, "The keys were not replaced; the old ones stay. {Problem}")]
    private partial void LogKept(string problem);
}

/// <summary>How long this node has had a key, and the time until its NotAfter.</summary>
internal readonly record struct KeyAge(string Kid, TimeSpan Age, TimeSpan? Remaining);
