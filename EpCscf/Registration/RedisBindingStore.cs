using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.EpCscf.Replicas;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// Bindings in Redis, for all replicas: <c>ims:binding:{subscriber}</c> is a hash from place to binding, <c>ims:session:{session}</c>
/// the bindings of a session at the WWSF, <c>ims:revoked:{session}</c> a session whose tokens are refused. Keys hold keyed hashes
/// and no names, and live no longer than what they hold, or the connections of that. When Redis does not answer, this process goes
/// on with what it knows itself.
/// </summary>
internal sealed partial class RedisBindingStore(
    IConnectionMultiplexer redis, BindingNames names, IReplicas replicas, TimeProvider time, ILogger<RedisBindingStore> logger) : IBindingStore
{
    // What is written and how long it lives at least, in one step: a process that ends in between leaves nothing without an end.
    private const string Last = "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end";
    private const string SetPlace = "redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) " + Last;
    private const string AddBinding = "redis.call('SADD', KEYS[1], ARGV[2]) " + Last;

    private readonly InMemoryBindingStore _local = new(time);
    private int _isOut;

    public async ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber) =>
        await TryAsync("HGETALL", async database => await LiveAsync(await database.HashGetAllAsync(KeyOf(subscriber)))) ?? await _local.FindAsync(subscriber);

    public async ValueTask<string?> LocateAsync(BindingId id) =>
        await TryAsync("HGET", async database => Read(await database.HashGetAsync(KeyOf(id.Subscriber), id.Place)) is { } binding && await replicas.IsAliveAsync(binding.Replica)
            ? binding.Replica
            : null);

    public async ValueTask SaveAsync(Binding binding)
    {
        await _local.SaveAsync(binding);
        var lifetime = (long)(binding.ExpiresAt - time.GetUtcNow()).TotalMilliseconds;
        var connection = lifetime + (long)Registrar.ConnectionOutlives.TotalMilliseconds;
        await TryAsync("HSET", async database =>
        {
            await Task.WhenAll(
                database.ScriptEvaluateAsync(SetPlace, [KeyOf(binding.Id.Subscriber)], [connection, binding.Id.Place, JsonSerializer.Serialize(binding)]),
                database.ScriptEvaluateAsync(AddBinding, [SessionKey(binding.SessionId)], [lifetime, binding.Id.ToString()]));
            return true;
        });
    }

    public async ValueTask<bool> RemoveAsync(Binding binding)
    {
        var wasLocal = await _local.RemoveAsync(binding);
        return await TryAsync<bool?>("HDEL", async database =>
        {
            var key = KeyOf(binding.Id.Subscriber);
            var stored = await database.HashGetAsync(key, binding.Id.Place);
            if (Read(stored)?.FlowId != binding.FlowId) return false;
            // Unless it has been registered again in this moment.
            var transaction = database.CreateTransaction();
            transaction.AddCondition(Condition.HashEqual(key, binding.Id.Place, stored));
            _ = transaction.HashDeleteAsync(key, binding.Id.Place);
            _ = transaction.SetRemoveAsync(SessionKey(binding.SessionId), binding.Id.ToString());
            return await transaction.ExecuteAsync();
        }) ?? wasLocal;
    }

    public async ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers) =>
        await TryAsync("HGETALL", async database =>
        {
            var found = await Task.WhenAll(subscribers.Select(async subscriber => (Subscriber: subscriber, Bindings: await LiveAsync(await database.HashGetAllAsync(KeyOf(subscriber))))));
            return found.Where(entry => entry.Bindings.Count > 0).Select(entry => entry.Subscriber).ToHashSet();
        }) ?? await _local.OnlineAsync(subscribers);

    public async ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId) =>
        await TryAsync("SMEMBERS", async database =>
        {
            var ids = (await database.SetMembersAsync(SessionKey(sessionId))).Select(id => BindingId.Parse(id.ToString()));
            var bindings = await Task.WhenAll(ids.Select(id => database.HashGetAsync(KeyOf(id.Subscriber), id.Place)));
            return (await LiveAsync(bindings)).Where(binding => binding.SessionId == sessionId).ToList() as IReadOnlyList<Binding>;
        }) ?? await _local.FindSessionAsync(sessionId);

    public async ValueTask RevokeAsync(string sessionId)
    {
        await _local.RevokeAsync(sessionId);
        await TryAsync("SET", async database => await database.StringSetAsync(RevokedKey(sessionId), "1", InMemoryBindingStore.RevocationLifetime));
    }

    public async ValueTask<bool> IsRevokedAsync(string sessionId) =>
        await _local.IsRevokedAsync(sessionId) || await TryAsync("EXISTS", async database => await database.KeyExistsAsync(RevokedKey(sessionId)));

    private static RedisKey KeyOf(string subscriber) => $"ims:binding:{subscriber}";

    private RedisKey SessionKey(string sessionId) => $"ims:session:{names.Session(sessionId)}";

    private RedisKey RevokedKey(string sessionId) => $"ims:revoked:{names.Session(sessionId)}";

    private Task<IReadOnlyList<Binding>> LiveAsync(HashEntry[] entries) => LiveAsync(entries.Select(entry => entry.Value));

    /// <summary>What has not expired, and is connected to a replica that is there.</summary>
    private async Task<IReadOnlyList<Binding>> LiveAsync(IEnumerable<RedisValue> stored)
    {
        List<Binding> live = [];
        foreach (var binding in stored.Select(Read).OfType<Binding>().Where(binding => binding.ExpiresAt > time.GetUtcNow()))
        {
            if (await replicas.IsAliveAsync(binding.Replica)) live.Add(binding);
        }
        return live;
    }

    // What somebody else wrote there is not there.
    private static Binding? Read(RedisValue value)
    {
        try
        {
            return value.IsNullOrEmpty ? null : JsonSerializer.Deserialize<Binding>(value.ToString());
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task<T?> TryAsync<T>(string command, Func<IDatabase, Task<T>> action)
    {
        using var span = RedisCommand.Start(command);
        try
        {
            var result = await action(redis.GetDatabase());
            if (Interlocked.Exchange(ref _isOut, 0) == 1) LogBack();
            return result;
        }
        catch (Exception error) when (error is RedisException or TimeoutException or ObjectDisposedException)
        {
            span.Fail(error);
            if (Interlocked.Exchange(ref _isOut, 1) == 0) LogOut(error.GetType().Name);
            return default;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Redis does not answer ({Error}); only the registrations of this process are known")]
    private partial void LogOut(string error);

    [LoggerMessage(2, LogLevel.Information, "Redis answers again")]
    private partial void LogBack();
}
