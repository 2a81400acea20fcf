using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using OpenTelemetry;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stores;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Telemetry;

namespace WebRtcIms.Waf.Rings;

/// <summary>
/// Rotates the long-term keys: by schedule, on demand, and when a key has been used often. Reads the changes of other replicas, at once
/// where there is Redis, and every <see cref="Poll"/>.
/// </summary>
internal sealed partial class KeyRotation(
    KeyRings rings, KeyStore store, KeyProtection protection, StoreSettings settings, TimeProvider time, WafTelemetry telemetry,
    ILogger<KeyRotation> logger, IConnectionMultiplexer? redis = null) : BackgroundService
{
    public static readonly TimeSpan Poll = TimeSpan.FromSeconds(5);

    private const string Schedule = "schedule";
    private static readonly TimeSpan RedisBudget = TimeSpan.FromMilliseconds(250);

    // Entity Framework Core retries for a minute when PostgreSQL is down.
    private static readonly TimeSpan StoreBudget = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _gate = new(1);
    private readonly HashSet<string> _announced = [];
    private readonly ConcurrentDictionary<string, string> _problems = [];
    private readonly RedisAvailability _availability = new(logger, "TURN servers and other replicas learn of new keys by polling");
    private ChannelMessageQueue? _messages;

    /// <summary>Why the store cannot be read; null while it can. Tokens are issued with the known keys meanwhile.</summary>
    public string? Problem => _problems.Values.FirstOrDefault();

    /// <summary>
    /// Makes the next key of a ring current, as soon as its lead time has passed. Tokens under the old key stay valid. Returns the name
    /// of the new key; null if the name is unknown, or the key is static.
    /// </summary>
    /// <param name="server">The name of the TURN server, or the home domain for the keys of registration tokens.</param>
    /// <param name="actor">For the audit: <c>operator</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<string?> RotateAsync(string server, string actor, CancellationToken cancellationToken = default)
    {
        if (rings.FindRotating(server) is not { } ring) return null;
        // The request is for this key. A rotation that becomes known during the wait answers it.
        var next = NextOf(ring);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            return (await ChangeAsync(ring, actor, change => change.Rotate(next), cancellationToken)).Result;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>
    /// Revokes a key. TURN servers refuse its tokens at once. If it was current, the next key becomes current at once. Returns false if the
    /// key is not one of a ring.
    /// </summary>
    /// <param name="kid">The name of the key.</param>
    /// <param name="actor">For the audit: <c>operator</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="RedisException">
    /// The key is revoked in the store, but Redis does not answer. TURN servers are notified when it answers again.
    /// </exception>
    public async Task<bool> RevokeAsync(string kid, string actor, CancellationToken cancellationToken = default)
    {
        var name = await store.FindRingAsync(kid, cancellationToken);
        if (rings.All.FirstOrDefault(ring => ring.Rotates && ring.Settings.Ring == name) is not { } ring) return false;
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var (change, isRevoked) = await ChangeAsync(ring, actor, change => change.Revoke(kid), cancellationToken);
            foreach (var key in change.Rows.Where(row => row.RevokedAt is not null)) await AnnounceAsync(key);
            return isRevoked;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Makes the changes that are due, and reads those of other replicas.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        // Spans of each poll would fill the trace store.
        using var _ = SuppressInstrumentationScope.Begin();
        foreach (var ring in rings.All.Where(ring => ring.Rotates)) await RefreshAsync(ring, cancellationToken);
    }

    /// <summary>
    /// Reads the rings before the first request. There are no known keys to go on with, so it waits as long as the store needs.
    /// </summary>
    /// <exception cref="SettingsException">The store cannot be used, or its keys cannot be decrypted.</exception>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        telemetry.ObserveKeys(CountKeys);
        telemetry.ObserveKeyUses(() => rings.All.Where(ring => ring.Keys.Count > 0)
            .Select(ring => (ring.Settings.Name, ring.GetCurrent(time.GetUtcNow()).Material.Uses)));
        try
        {
            foreach (var ring in rings.All.Where(ring => ring.Rotates))
                await settings.ReportProblemsAsync(() => ApplyAsync(ring, Schedule, Maintain, cancellationToken));
        }
        catch (KeyProtectionException error)
        {
            throw new SettingsException(error.Message);
        }

        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _gate.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!rings.All.Any(ring => ring.Rotates)) return;
        using var timer = new PeriodicTimer(Poll, time);
        do await SubscribeAsync(stoppingToken);
        while (await PollAsync(timer, stoppingToken));
    }

    private async Task<bool> PollAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        if (!await timer.WaitForNextTickAsync(stoppingToken)) return false;
        await RefreshAsync(stoppingToken);
        return true;
    }

    private static bool Maintain(RingChange change)
    {
        change.Maintain();
        return true;
    }

    private static bool IsStoreFailure(Exception error) =>
        error is DbException or InvalidOperationException or DbUpdateException or OperationCanceledException or TimeoutException
            or KeyProtectionException;

    private async Task SubscribeAsync(CancellationToken stoppingToken)
    {
        if (redis is null || _messages is not null) return;
        try
        {
            _messages = await redis.GetSubscriber().SubscribeAsync(LongTermKeys.Channel);
            _messages.OnMessage(async message =>
            {
                if (rings.FindRotating((string?)message.Message ?? "") is { } ring) await RefreshAsync(ring, stoppingToken);
            });
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            _availability.Failed(error);
        }
    }

    private async Task RefreshAsync(KeyRing ring, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var (change, _) = await ChangeAsync(ring, Schedule, Maintain, cancellationToken);
            if (ring.GetCurrent(time.GetUtcNow()).Material.Uses >= KeyMaterial.RotateAfter)
                await ChangeAsync(ring, "use", change => change.Rotate(NextOf(ring)), cancellationToken);
            if (_problems.TryRemove(ring.Settings.Name, out var _)) LogReadAgain(logger, ring.Settings.Name);
            await AnnounceRevokedAsync(change);
        }
        catch (Exception error) when (IsStoreFailure(error) && !cancellationToken.IsCancellationRequested)
        {
            var reason = error is KeyProtectionException ? error.Message : error.GetType().Name;
            if (_problems.TryAdd(ring.Settings.Name, reason)) LogNotRead(logger, ring.Settings.Name, reason);
        }
        finally
        {
            _gate.Release();
        }
    }

    // Null soon after a rotation, when the next key is not there yet.
    private string? NextOf(KeyRing ring) => ring.Keys is [.., var last] && last.CurrentAt > time.GetUtcNow() ? last.Kid : null;

    private async Task<(RingChange Change, T Result)> ChangeAsync<T>(
        KeyRing ring, string actor, Func<RingChange, T> apply, CancellationToken cancellationToken)
    {
        using var budget = new CancellationTokenSource(StoreBudget, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, budget.Token);
        return await ApplyAsync(ring, actor, apply, either.Token);
    }

    private async Task<(RingChange Change, T Result)> ApplyAsync<T>(
        KeyRing ring, string actor, Func<RingChange, T> apply, CancellationToken cancellationToken)
    {
        var done = await store.ChangeAsync(ring.Settings, actor, apply, cancellationToken);
        ring.Replace(done.Change.Rows, Decrypt);
        if (done.Change.Audit.Count == 0) return done;
        foreach (var entry in done.Change.Audit)
        {
            LogChanged(logger, entry.Action, entry.Subject, ring.Settings.Name, actor);
            if (entry.Action == RingChange.Rotated) telemetry.Rotated(ring.Settings.Name, actor);
        }

        await PublishAsync(ring);
        return done;
    }

    private KeyMaterial Decrypt(StoredKey key)
    {
        _ = AccessTokenAlgorithms.TryParse(key.Algorithm, out var algorithm);
        return new KeyMaterial(key.Kid, algorithm, protection.Unprotect(key));
    }

    private async Task PublishAsync(KeyRing ring)
    {
        if (redis is null) return;
        try
        {
            await redis.GetSubscriber().PublishAsync(LongTermKeys.Channel, ring.Settings.Name).WaitAsync(RedisBudget);
            _availability.Answered();
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            _availability.Failed(error);
        }
    }

    // Each replica does it once for each key: the one that revoked the key may have ended before.
    private async Task AnnounceRevokedAsync(RingChange change)
    {
        try
        {
            foreach (var key in change.Rows.Where(row => row.RevokedAt is not null && !_announced.Contains(row.Kid)))
                await AnnounceAsync(key);
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            _availability.Failed(error);
        }
    }

    private async Task AnnounceAsync(StoredKey key)
    {
        if (redis is null) return;
        var until = DateTimeOffset.FromUnixTimeSeconds(key.RevokedAt!.Value) + TokenLimits.RevokedKeyRetention;
        await TurnRevocations.WriteAsync(redis.GetDatabase(), TurnRevocations.OfKey(key.Kid), until, time.GetUtcNow());
        _announced.Add(key.Kid);
    }

    private IEnumerable<(string Server, KeyState State)> CountKeys()
    {
        var now = time.GetUtcNow();
        return rings.All.SelectMany(ring => ring.GetAlive(now).Select(key => (ring.Settings.Name, key.StateAt(now))));
    }

    [LoggerMessage(1, LogLevel.Information, "{Action} {Kid} of {Server}, by {Actor}", EventName = "audit.key")]
    private static partial void LogChanged(ILogger logger, string action, string kid, string server, string actor);

    [LoggerMessage(
        2, LogLevel.Error, "The keys of {Server} cannot be read from the store ({Reason}); tokens are issued with the known keys")]
    private static partial void LogNotRead(ILogger logger, string server, string reason);

    [LoggerMessage(3, LogLevel.Information, "The keys of {Server} can be read from the store again")]
    private static partial void LogReadAgain(ILogger logger, string server);
}
