using System.Text.Json;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Takes the long-term keys anew when <c>Turn:Keys</c> or the file of <c>Turn:KeysFile</c> has changed, so that keys roll over
/// without a restart (RFC 7635 §4.1). Allocations keep the credential that they were made with. Keys that cannot be used are
/// refused as a whole, and the ring stays as it is.
/// </summary>
internal sealed partial class KeyReload(
    RequestAuthenticator authenticator, TurnSettings settings, IConfiguration configuration, TimeProvider time, ILogger<KeyReload> logger)
    : BackgroundService
{
    // Read, not watched: a mounted secret changes as another target of a link, which no watcher of the file reports.
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(2);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { AllowTrailingCommas = true, ReadCommentHandling = JsonCommentHandling.Skip };

    private IReadOnlyList<Held> _ring = settings.Keys.ConvertAll(key => new Held(key, time.GetUtcNow()));
    private string? _logged;

    /// <summary>All keys that are configured now; <paramref name="problem"/> says what is wrong with the file or with a value.</summary>
    public static List<TurnKeySettings> Read(IConfiguration configuration, out string? problem)
    {
        problem = null;
        try
        {
            List<TurnKeySettings> keys = [.. configuration.GetSection("Turn:Keys").Get<List<TurnKeySettings>>() ?? []];
            for (var i = 0; i < keys.Count; i++) keys[i].Setting = $"Turn:Keys:{i}";
            if (configuration["Turn:KeysFile"] is { Length: > 0 } path) keys.AddRange(ReadFile(path));
            return keys;
        }
        catch (Exception error) when (error is InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            problem = error.Message;
        }
        catch (JsonException error)
        {
            // Its message could quote what stands there.
            problem = $"Turn:KeysFile: line {error.LineNumber + 1} is not what a list such as [{{ \"Kid\": \"k1\", \"Key\": \"…\" }}] has there";
        }

        return [];
    }

    /// <summary>Takes the keys when they have changed and can be used.</summary>
    public void ReloadIfChanged()
    {
        var keys = Read(configuration, out var problem);
        problem ??= Problem(keys);
        if (problem is not null)
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
        LogReloaded(string.Join(", ", keys.Select(key => key.NotAfter is { } end ? $"{key.Kid} (until {end.UtcDateTime:u})" : key.Kid)));
    }

    /// <summary>The keys of this node with their ages.</summary>
    public IEnumerable<KeyAge> Ages() =>
        Volatile.Read(ref _ring).Select(held => new KeyAge(held.Key.Kid, time.GetUtcNow() - held.Since, held.Key.NotAfter - time.GetUtcNow()));

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

    // What clients are told depends on whether there are tokens at all, and so does the key of the nonces.
    private string? Problem(List<TurnKeySettings> keys)
    {
        if (keys.Count == 0 && settings.Keys.Count > 0) return "Turn:Keys is empty; without tokens the server must be started anew";
        if (keys.Count > 0 && settings.Keys.Count == 0) return "Turn:Keys was empty at the start; to take tokens the server must be started anew";
        return TurnKeySettings.Problems(keys).FirstOrDefault();
    }

    private static List<TurnKeySettings> ReadFile(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"Turn:KeysFile: '{path}' cannot be read ({error.GetType().Name})");
        }

        var keys = JsonSerializer.Deserialize<List<TurnKeySettings>>(text, Json) ?? [];
        for (var i = 0; i < keys.Count; i++) keys[i].Setting = $"Turn:KeysFile, key {i}";
        return keys;
    }

    private sealed record Held(TurnKeySettings Key, DateTimeOffset Since);

    [LoggerMessage(1, LogLevel.Information, "Tokens are now accepted under the keys {Keys}")]
    private partial void LogReloaded(string keys);

    [LoggerMessage(2, LogLevel.Error, "The keys were not replaced; the old ones stay. {Problem}")]
    private partial void LogKept(string problem);
}

/// <summary>How long this node has had a key, and what is left until its NotAfter.</summary>
internal readonly record struct KeyAge(string Kid, TimeSpan Age, TimeSpan? Remaining);
